"""What the environment may set, checked when the program starts."""

import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lungcare.film import MAX_PIXELS

PREFIX = "LUNGCARE_"


class SettingsError(ValueError):
    """A variable of the environment with a value that cannot be."""


class Settings(BaseModel):
    """One field for each variable: `max_bytes` is LUNGCARE_MAX_BYTES. An empty variable counts as none."""

    model_config = ConfigDict(frozen=True)

    model: str = Field(
        "lungcare", pattern=r"^[a-z0-9][a-z0-9_.-]*$", description="Name of the bundle: its folder in models/."
    )
    max_bytes: int = Field(50_000_000, gt=0, description="Largest file that is read, in bytes.")
    max_pixels: int = Field(MAX_PIXELS, gt=0, description="Largest film that is decoded: width times height.")
    examples: Path | None = Field(
        None, description="Folder of example films, one sub-folder for each condition; else those of the bundle."
    )
    threads: int = Field(2, ge=1, le=64, description="Films that the service reads at the same time.")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Settings":
        """Read the variables. Raises SettingsError with the variable, what is wrong, and what it holds."""
        named = {name: environment.get(PREFIX + name.upper()) for name in cls.model_fields}
        try:
            settings = cls.model_validate({name: value for name, value in named.items() if value})
        except ValidationError as error:
            first = error.errors()[0]
            name = PREFIX + str(first["loc"][0]).upper()
            raise SettingsError(f"{name} is wrong: {first['msg']}. Received: {first['input']!r}.") from error
        if settings.examples is not None and not settings.examples.is_dir():
            raise SettingsError(f"{PREFIX}EXAMPLES is wrong: there is no such folder. Received: {settings.examples}.")
        return settings
