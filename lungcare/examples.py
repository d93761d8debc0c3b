"""A folder of example films, one sub-folder for each condition -> the few that the page offers."""

from dataclasses import dataclass
from pathlib import Path

from lungcare.conditions import CODES

PER_CONDITION = 1


@dataclass(frozen=True)
class Example:
    """One example film. condition: what it is known to show."""

    condition: str
    path: Path


def examples(folder: Path) -> list[Example]:
    """The first films of each condition, in the order of the conditions; none where there is no such folder."""
    return [
        Example(code, path)
        for code in CODES
        for path in sorted(path for path in (folder / code).glob("*") if path.is_file())[:PER_CONDITION]
    ]
