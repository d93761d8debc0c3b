"""The pool of drawn films in examples/ -> the few that a bundle carries, frozen with what its model makes of them."""

import json
import logging
from dataclasses import dataclass
from pathlib import Path

from lungcare.bundle import EXAMPLES, Bundle
from lungcare.conditions import CODES
from lungcare.examples import PER_CONDITION, FrozenExample, FrozenExamples, checksum
from lungcare.reader import Reader
from lungcare.reading import FilmError, Reading
from lungcare.selfcheck import figures, settings_in_force
from lungcare.settings import Settings
from train.manifest import DataError

log = logging.getLogger(__name__)

POOL = "pool.json"
# Where the films lie in a bundle.
FILMS = "examples"


@dataclass(frozen=True)
class Pooled:
    """A film of the pool. file: relative to the pool's folder. seed: what it was drawn from."""

    file: str
    condition: str
    seed: int


def read_pool(folder: Path) -> list[Pooled]:
    """The films of a pool; none where there is no pool. Raises DataError where its list cannot be read."""
    path = folder / POOL
    if not path.is_file():
        return []
    try:
        films = [Pooled(row["file"], row["condition"], row["seed"]) for row in json.loads(path.read_text())["films"]]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} is no list of drawn films. Draw it anew: python -m train synthesize") from error
    for film in films:
        if not (folder / film.file).is_file():
            raise DataError(f"{folder / film.file} is missing, though {path} lists it.")
    return films


def pool_checksum(folder: Path) -> str:
    """SHA-256 over the names and the bytes of a pool's films; "" where there is no pool."""
    lines = [f"{film.file}\t{checksum((folder / film.file).read_bytes())}\n" for film in read_pool(folder)]
    return checksum("".join(lines).encode()) if lines else ""


def freeze(bundle: Bundle, pool: Path, has_to: bool) -> FrozenExamples:
    """Read the pool with a bundle's model and choose, of each condition, the 4 surest of those that read right.

    has_to: whether it is an error when there are too few; else the bundle then carries none.
    Raises DataError.
    """
    reader = Reader(bundle, Settings.model_construct())
    chosen: list[FrozenExample] = []
    for code in CODES:
        own = [film for film in read_pool(pool) if film.condition == code]
        right = [frozen for film in own if (frozen := _frozen(reader, pool, film)) is not None]
        if len(right) < PER_CONDITION:
            reason = (
                f"{bundle.card.tag} reads {len(right)} of the {len(own)} films drawn as {code} in {pool} as {code}; "
                f"{PER_CONDITION} are needed."
            )
            if has_to:
                raise DataError(f"{reason} Draw others: python -m train synthesize, see docs/EXAMPLES.md.")
            log.warning("%s It is published without examples.", reason)
            return FrozenExamples(pool=pool_checksum(pool), settings=settings_in_force(bundle.card), films=())
        right.sort(key=lambda frozen: -getattr(frozen.reading.probabilities, code))
        chosen += sorted(right[:PER_CONDITION], key=lambda frozen: frozen.file)
    return FrozenExamples(pool=pool_checksum(pool), settings=settings_in_force(bundle.card), films=tuple(chosen))


def write_examples(frozen: FrozenExamples, pool: Path, folder: Path) -> list[str]:
    """Put the chosen films and examples.json into a bundle's folder. Returns their names there."""
    for film in frozen.films:
        target = folder / film.file
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((pool / Path(film.file).relative_to(FILMS)).read_bytes())
    (folder / EXAMPLES).write_text(frozen.model_dump_json(indent=1) + "\n")
    return [EXAMPLES, *(film.file for film in frozen.films)]


def _frozen(reader: Reader, pool: Path, film: Pooled) -> FrozenExample | None:
    """A film with what the model makes of it; None where that is not its condition."""
    data = (pool / film.file).read_bytes()
    try:
        made, reading = figures(reader, data)
    except FilmError:
        return None
    if not _is_right(reading, film.condition):
        return None
    return FrozenExample(
        file=f"{FILMS}/{film.file}",
        condition=film.condition,
        seed=film.seed,
        sha256=checksum(data),
        stages=made,
        reading=reading,
    )


def _is_right(reading: Reading, condition: str) -> bool:
    """Whether a film is read as its condition, and as it lies."""
    return reading.finding == condition and not reading.corrections
