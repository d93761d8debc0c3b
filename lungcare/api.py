"""The HTTP interface: its routes, their fields, and what they answer beside readings."""

import base64
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from lungcare.conditions import CODES, CONDITIONS
from lungcare.problem import Problem
from lungcare.reading import SCHEMA_VERSION, ConditionCode, Flag, Flags, Probabilities, Reading
from lungcare.words import say

CLASSIFY = "/classify"
CLASSIFY_BATCH = "/classify_batch"
CONDITIONS_ROUTE = "/conditions"
MODEL = "/model"
METRICS = "/metrics"
PAGE = "/ui"
HELP = "/docs"
OPENAPI = "/openapi.json"
ROUTES = (
    *("/", PAGE, HELP, OPENAPI, MODEL, METRICS, CONDITIONS_ROUTE, CLASSIFY, CLASSIFY_BATCH),
    *("/livez", "/readyz", "/healthz", "/schema.json", "/docs.json", "/favicon.ico"),
)
FIELD = "film"
MAP = "map"
FILMS = "films"
MOST_FILMS = 32
EXAMPLE = Reading(
    finding="normal",
    probabilities=Probabilities(normal=0.91, pneumonia=0.05, tuberculosis=0.03, pneumothorax=0.01),
    uncertain=False,
    flags=Flags(
        **dict.fromkeys(CODES, Flag(screening=False, balanced=False)) | {"normal": Flag(screening=True, balanced=True)}
    ),
    model="lungcare:1.0.0",
).model_dump(mode="json")
PAGES = Path(__file__).parent / "pages"


class Batch(BaseModel):
    """What came of several films."""

    model_config = ConfigDict(frozen=True)

    schema_version: Literal["1.0"] = SCHEMA_VERSION
    results: list[Reading | Problem] = Field(description="A reading or a problem for each film, in the order sent.")
    model: str = Field(description="The model that read the films, as name:version.")


class MappedReading(Reading):
    """A film that was read, with where the network looked."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE | {"in_lungs": 0.62, "map": "iVBORw0KGgo="}]})

    map: str | None = Field(
        description="Where the network looked for its finding: a PNG in base64, of the film's proportions, to lay over "
        "it. No location of disease. Null where the model has no such map."
    )


class ConditionText(BaseModel):
    """One of the conditions that are told apart."""

    model_config = ConfigDict(frozen=True)

    code: ConditionCode
    name: str = Field(description="Its name, in the language asked for.")
    description: str = Field(description="What is seen on a film, in the language asked for.")
    colour: str = Field(description="Hex colour of its bars.")


class ConditionTexts(BaseModel):
    """The conditions, in the order of every table."""

    model_config = ConfigDict(frozen=True)

    schema_version: Literal["1.0"] = SCHEMA_VERSION
    conditions: list[ConditionText]


class Failure(BaseModel):
    """Something went wrong on our side while the page read a film; the sender's film may be fine."""

    model_config = ConfigDict(frozen=True)

    code: Literal["internal_error"] = "internal_error"
    message: str = Field(description="What happened, in one sentence.")
    advice: str = Field(description="What to do, in one sentence.")
    request_id: str = Field(description="Names this request in the log of the service.")


def mapped(answer: Reading, picture: bytes | None) -> MappedReading:
    """A reading with its map. picture: a PNG, if there is one."""
    shown = base64.b64encode(picture).decode() if picture else None
    return MappedReading(**dict(answer), map=shown)


def conditions(language: str) -> ConditionTexts:
    """The conditions in the words of a language."""
    return ConditionTexts(
        conditions=[
            ConditionText(
                code=condition.code,
                name=say(f"condition.{condition.code}", language),
                description=say(f"about.{condition.code}", language),
                colour=condition.colour,
            )
            for condition in CONDITIONS
        ]
    )
