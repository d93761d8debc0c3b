"""Example films: those frozen in a bundle with their readings, or a folder of the user's own."""

import hashlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from lungcare.bundle import EXAMPLES, Bundle
from lungcare.conditions import CODES
from lungcare.film import decode
from lungcare.reading import ConditionCode, FilmError, Reading

PER_CONDITION = 4

logger = logging.getLogger("lungcare.examples")


@dataclass(frozen=True)
class Example:
    """One film. condition: what it is known to show. is_synthetic: whether it was drawn, and is of no patient."""

    condition: str
    path: Path
    is_synthetic: bool = False


class FrozenExample(BaseModel):
    """A drawn film of the bundle, and what the model made of it when it was published.

    stages: the figures of each stage, see lungcare.selfcheck.
    """

    model_config = ConfigDict(frozen=True)

    file: str = Field(description="The film, relative to the folder of the bundle.")
    condition: ConditionCode
    seed: int = Field(description="What `python -m train synthesize` drew it from.")
    sha256: str
    stages: dict[str, list[float]]
    reading: Reading


class FrozenExamples(BaseModel):
    """examples.json of a bundle.

    pool: checksum of the films that these were chosen from. settings: the thresholds that were in force at each stage.
    """

    model_config = ConfigDict(frozen=True)

    pool: str
    settings: dict[str, dict[str, float | str]]
    films: tuple[FrozenExample, ...]


def frozen_examples(bundle: Bundle) -> FrozenExamples | None:
    """What is frozen in a bundle, None where nothing is. The bundle has checked the files."""
    if EXAMPLES not in bundle.card.files:
        return None
    return FrozenExamples.model_validate_json((bundle.folder / EXAMPLES).read_bytes())


def examples(bundle: Bundle, own: Path | None = None) -> list[Example]:
    """The films that the page offers, in the order of the conditions.

    own: a folder with one sub-folder for each condition, whose first films take the place of the bundle's.
    """
    if own is not None:
        return [Example(code, path) for code in CODES for path in islice(_films(own / code), PER_CONDITION)]
    frozen = frozen_examples(bundle)
    films = sorted(frozen.films, key=lambda film: CODES.index(film.condition)) if frozen else []
    return [Example(film.condition, bundle.folder / film.file, is_synthetic=True) for film in films]


def _films(folder: Path) -> Iterator[Path]:
    """The films of a folder by name. Hidden files, such as file managers leave, and what is no film are passed over."""
    for path in sorted(path for path in folder.glob("*") if path.is_file() and not path.name.startswith(".")):
        try:
            decode(path.read_bytes())
        except (FilmError, OSError) as error:
            logger.warning("No example: %s (%s)", path, error)
        else:
            yield path


def checksum(data: bytes) -> str:
    """SHA-256 of a film."""
    return hashlib.sha256(data).hexdigest()
