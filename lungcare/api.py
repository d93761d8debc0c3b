"""What the HTTP interface says, beside readings: its refusals of requests, its failures, and its description."""

import html
import re
from pathlib import Path
from string import Template
from typing import Any, Literal

import attrs
from _bentoml_sdk import Service
from pydantic import BaseModel, ConfigDict, Field

from lungcare import __version__, reading
from lungcare.reading import SCHEMA_VERSION, Probabilities, Reading, Refusal
from lungcare.settings import Settings
from lungcare.words import sentences

CLASSIFY = "/classify"
FIELD = "film"
PAGE = "/ui"
HELP = "/docs"
MODEL = "/model"
PAGES = Path(__file__).parent / "pages"

# Requests that hold no film to read; the codes of files are in lungcare.reading.
_STATUS_OF_REQUESTS = {
    "damaged_request": 400,
    "no_film": 400,
    "several_films": 400,
    "wrong_field": 400,
    "not_multipart": 415,
}
STATUS_BY_CODE = reading.STATUS_BY_CODE | _STATUS_OF_REQUESTS
_NEVER_BY_HTTP = {"unreadable_file"}


class Failure(BaseModel):
    """Something went wrong on our side; the sender's film may be fine."""

    model_config = ConfigDict(frozen=True)

    schema_version: Literal["1.0"] = SCHEMA_VERSION
    outcome: Literal["failed"] = "failed"
    code: Literal["internal_error"] = "internal_error"
    message: str = Field(description="What happened, in one sentence.")
    advice: str = Field(description="What to do, in one sentence.")
    request_id: str = Field(description="Names this request in the log of the service.")


class DescribedService(Service):
    """A BentoML service whose docs.json knows every answer of the reading route, not the good one alone."""

    @property
    def openapi_spec(self) -> Any:
        """The OpenAPI document, in BentoML's classes."""
        specification = super().openapi_spec
        about = attrs.evolve(
            specification.info, title="LungCare", version=__version__, description=self.inner.__doc__, contact=None
        )
        specification = attrs.evolve(specification, info=about)
        for model in (Reading, Probabilities, Refusal, Failure):
            schema = model.model_json_schema(ref_template="#/components/schemas/{model}", mode="serialization")
            schema.pop("$defs", None)
            specification.components["schemas"][model.__name__] = schema
        specification.paths[CLASSIFY].post["responses"] = {
            200: _answer("The film was read.", Reading),
            **{status: _answer("Refused: " + ", ".join(codes) + ".", Refusal) for status, codes in _codes_by_status()},
            500: _answer("Failed on our side.", Failure),
        }
        return specification


def help_page(settings: Settings, model: str, origin: str) -> str:
    """The page that explains the interface: one HTML document that loads nothing.

    model: tag of the model that is served. origin: where the service was reached, such as http://127.0.0.1:3000.
    """
    template = Template((PAGES / "docs.html").read_text(encoding="utf-8"))
    return template.substitute(
        version=html.escape(__version__),
        model=html.escape(model),
        origin=html.escape(origin),
        megabytes=f"{settings.max_bytes / 1e6:g}",
        megapixels=f"{settings.max_pixels / 1e6:g}",
        reading=_fields(Reading) + _fields(Probabilities, "probabilities."),
        refusal=_fields(Refusal),
        failure=_fields(Failure),
        codes="".join(
            f"<tr><td>{status}</td><td><code>{code}</code></td><td>{html.escape(_sentence(code))}</td></tr>"
            for status, codes in _codes_by_status()
            for code in codes
        ),
    )


def _codes_by_status() -> list[tuple[int, list[str]]]:
    statuses = sorted(set(STATUS_BY_CODE.values()))
    by_http = {code: status for code, status in STATUS_BY_CODE.items() if code not in _NEVER_BY_HTTP}
    return [(status, sorted(code for code in by_http if by_http[code] == status)) for status in statuses]


def _answer(description: str, model: type[BaseModel]) -> dict[str, Any]:
    reference = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {"description": description, "content": {"application/json": {"schema": reference}}}


def _fields(model: type[BaseModel], prefix: str = "") -> str:
    """Rows of a table: name, type and meaning of each field."""
    rows = []
    schema = model.model_json_schema(mode="serialization")
    for name, field in schema["properties"].items():
        if "$ref" in field:
            field = schema["$defs"][field["$ref"].rpartition("/")[2]]
        kind = field.get("const") or " | ".join(field.get("enum", ())) or field["type"]
        meaning = field.get("description", "")
        cells = (f"<code>{prefix}{name}</code>", html.escape(str(kind)), html.escape(meaning))
        rows.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    return "".join(rows)


def _sentence(code: str) -> str:
    """The English sentence of a refusal, with an ellipsis where a value goes."""
    return re.sub(r"\{\w+\}", "…", sentences("en")[f"refusal.{code}.message"])
