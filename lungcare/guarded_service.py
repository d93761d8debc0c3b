"""A BentoML service behind the guard, whose docs.json is our contract."""

from dataclasses import dataclass
from typing import Any

import yaml
from _bentoml_sdk import Service
from starlette.types import ASGIApp

from lungcare import openapi
from lungcare.guard import guarded
from lungcare.settings import Settings


@dataclass(frozen=True)
class _Contract:
    """What BentoML asks for its docs.json."""

    settings: Settings

    def asdict(self) -> dict[str, Any]:
        return openapi.document(self.settings)


# How BentoML writes it into a bento.
yaml.add_representer(_Contract, lambda dumper, contract: dumper.represent_dict(contract.asdict()))


class GuardedService(Service):
    """A service that lets nothing around its guard: not even what BentoML answers before its own middlewares.

    Middlewares that are added in the usual way come after BentoML's limits of time and load, and see none of their
    answers.
    """

    _guard: tuple[Settings, str] | None = None

    def guard(self, settings: Settings, model: str) -> None:
        """Set the guard. model: tag of the model that is served."""
        self._guard = (settings, model)

    def to_asgi(self, is_main: bool = True) -> ASGIApp:
        """The app that is served."""
        app = super().to_asgi(is_main)
        return guarded(app, *self._guard) if self._guard else app

    @property
    def openapi_spec(self) -> Any:
        """The contract, where BentoML looks for it."""
        return _Contract(self._guard[0]) if self._guard else super().openapi_spec
