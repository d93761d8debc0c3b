"""What the environment may set, checked when the program starts."""

import difflib
import ipaddress
import os
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import limits
import numpy as np
from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from lungcare.conditions import CODES
from lungcare.film import MAX_PIXELS
from lungcare.keys import KeyRecord, parse_keys

PREFIX = "LUNGCARE_"
_RATE = "a rate is one number above 0 a second, minute, hour or day, such as 60/minute"


class SettingsError(ValueError):
    """A variable of the environment with a value that cannot be."""


class Settings(BaseSettings):
    """One field for each variable: `max_bytes` is LUNGCARE_MAX_BYTES. An empty variable counts as none.

    Lists are separated by commas. docs/OPERATIONS.md has the table, made from the descriptions here.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, frozen=True, extra="forbid")

    model: str = Field(
        "lungcare", pattern=r"^[a-z0-9][a-z0-9_.-]*$", description="Name of the bundle: its folder in models/."
    )
    max_bytes: int = Field(50_000_000, gt=0, description="Largest file that is read, in bytes.")
    max_batch_bytes: int = Field(200_000_000, gt=0, description="Largest body of /classify_batch, in bytes.")
    max_pixels: int = Field(MAX_PIXELS, gt=0, description="Largest film that is decoded: width times height.")
    examples: Path | None = Field(
        None, description="Folder of example films, one sub-folder for each condition; else those of the bundle."
    )
    prevalence: Annotated[tuple[float, float, float, float] | None, NoDecode] = Field(
        None,
        description="How frequent normal, pneumonia, tuberculosis and pneumothorax are where it is used: four numbers "
        "above 0, as in 90,6,3,1; only their ratio counts. Without it, the four count as equally frequent.",
    )
    threads: int = Field(4, ge=1, le=64, description="Films that the service reads at the same time.")
    max_concurrency: int = Field(
        32, ge=1, description="Requests to read that are under way or wait; one more is answered 503."
    )
    timeout: float = Field(
        60, gt=0, allow_inf_nan=False, description="Seconds after which a request to read is answered 504."
    )
    rate_limit: str = Field(
        "", description="Films for each key, or for each address without keys, such as 60/minute; else no limit."
    )
    api_keys: Annotated[tuple[KeyRecord, ...], NoDecode] = Field(
        (), description="Keys that may call the service, each as sha256:… of it or as itself; else all may."
    )
    api_keys_file: Path | None = Field(None, description="File with more such keys, one a line; # begins a comment.")
    page_open: bool = Field(
        False, description="Where there are keys: whether the page and its own calls need none (true), or one (false)."
    )
    trusted_proxies: str = Field(
        "", description="Addresses or networks of proxies whose X-Forwarded-For and -Proto are believed; else none."
    )
    root_path: str = Field(
        "", pattern=r"^(/[A-Za-z0-9._~-]+)*$", description="Prefix under which a proxy offers the service: /lungcare"
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Origins of other sites whose pages may call the service: https://clinic.example; else none."
    )
    log_addresses: bool = Field(False, description="Whether the log names the addresses of senders.")

    @classmethod
    def from_environment(cls) -> "Settings":
        """Read the variables. Raises SettingsError with the variable, what is wrong, and what it holds."""
        try:
            settings = cls()
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            field = str(first["loc"][0])
            # A key is a secret, even one that cannot be.
            received = "" if field.startswith("api_keys") else f" Received: {first['input']!r}."
            reason = first["msg"].removeprefix("Value error, ")
            raise SettingsError(f"{PREFIX}{field.upper()} is wrong: {reason}.{received}") from error
        if settings.examples is not None and not settings.examples.is_dir():
            raise SettingsError(f"{PREFIX}EXAMPLES is wrong: there is no such folder. Received: {settings.examples}.")
        _check_names(cls)
        return settings

    @cached_property
    def keys(self) -> tuple[KeyRecord, ...]:
        """All keys, of the variable and of the file, which is read once."""
        return self.api_keys + (_from_file(self.api_keys_file) if self.api_keys_file else ())

    @field_validator("api_keys", mode="before")
    @classmethod
    def _keys(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        keys = parse_keys(value.split(","))
        if value and not keys:
            raise ValueError("it holds no key, which would open the service to everybody")
        return keys

    @field_validator("api_keys_file")
    @classmethod
    def _keys_file(cls, value: Path | None) -> Path | None:
        if value is not None:
            _from_file(value)
        return value

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _origins(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        origins = tuple(origin.strip() for origin in value.split(","))
        for origin in origins:
            scheme, _, host = origin.partition("://")
            if origin != "*" and (scheme not in ("http", "https") or not host or "/" in host):
                raise ValueError("an origin is a scheme and a host, without a path, such as https://clinic.example")
        return origins

    @field_validator("trusted_proxies")
    @classmethod
    def _proxies(cls, value: str) -> str:
        for place in filter(None, (place.strip() for place in value.split(","))):
            if place != "*":
                ipaddress.ip_network(place)
        return value

    @field_validator("prevalence", mode="before")
    @classmethod
    def _four_shares(cls, value: object) -> object:
        if value is None:
            return None
        numbers = [part.strip() for part in value.split(",")] if isinstance(value, str) else value
        try:
            shares = np.array(numbers, float)
        except (TypeError, ValueError):
            shares = np.empty(0)
        if shares.shape != (len(CODES),) or not (np.isfinite(shares).all() and (shares > 0).all()):
            raise ValueError(f"give four numbers above 0, in the order {', '.join(CODES)}, as in 90,6,3,1")
        shares = shares / shares.max()
        return tuple((shares / shares.sum()).tolist())

    @field_validator("rate_limit")
    @classmethod
    def _rate(cls, value: str) -> str:
        if value:
            try:
                (rate,) = limits.parse_many(value)
            except ValueError as error:
                raise ValueError(_RATE) from error
            if rate.amount < 1:
                raise ValueError(_RATE)
        return value


def table() -> str:
    """Every variable, its default and its meaning, in Markdown."""
    rows = ["| Variable | Default | Meaning |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = str(field.default).lower() if isinstance(field.default, bool) else field.default
        shown = f"`{default}`" if default not in (None, "", ()) else ""
        rows.append(f"| `{PREFIX}{name.upper()}` | {shown} | {field.description} |")
    return "\n".join(rows)


def _from_file(path: Path) -> tuple[KeyRecord, ...]:
    """The keys of a file. Raises ValueError."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read") from error
    keys = parse_keys(line.partition("#")[0] for line in lines)
    if not keys:
        raise ValueError(f"{path} holds no key")
    return keys


def _check_names(cls: type[Settings]) -> None:
    """Raise SettingsError for a variable that is nearly one of ours: such a slip would be silent, and may be costly."""
    known = [PREFIX + name.upper() for name in cls.model_fields]
    for name in sorted(os.environ):
        if name.startswith(PREFIX) and name not in known:
            meant = difflib.get_close_matches(name, known, 1, 0.85)
            if meant:
                raise SettingsError(f"There is no setting {name}. Did you mean {meant[0]}?")
