"""`python -m train quality`: how many real films the rules of quality would refuse, by source and part."""

from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from lungcare import gate
from lungcare.film import decode, scaled
from lungcare.reading import FilmError
from train.manifest import Film, read_films
from train.split import RECORDED, read

# In which films reach the gate: that of the reader's network.
SIDE = 224
MOST_OF_ALL, MOST_OF_A_SOURCE = 0.002, 0.01
# The rules are chosen on the first; the others only tell whether they hold.
_CHOSEN_ON = ("train", "validation")
PARTS = dict.fromkeys(_CHOSEN_ON, "chosen on") | {part: part for part in ("test", "official", "external")}


@dataclass(frozen=True)
class Row:
    """One line of the table. refused: films by the code that refuses them."""

    part: str
    source: str
    films: int
    refused: Counter

    @property
    def share(self) -> float:
        """Share of the films that is refused, 0 to 1."""
        return self.refused.total() / self.films


def measure(data: Path, split: Path = RECORDED) -> list[Row]:
    """Put every film of `data` that the split knows through the rules.

    Returns one row for each part and source, and for each part one row of all, whose source is "all".
    Raises DataError when a film of the split is missing.
    """
    films = [(p.film, PARTS[p.part]) for p in read(split, read_films(data)).films if p.part in PARTS]
    tallies: dict[tuple[str, str], Counter] = defaultdict(Counter)
    with ThreadPoolExecutor(2) as pool:
        for (film, part), code in zip(films, pool.map(lambda placed: _fault(data, placed[0]), films), strict=True):
            for source in (film.source, "all"):
                tallies[part, source][code] += 1
    return [
        Row(part, source, tally.total(), Counter({code: count for code, count in tally.items() if code}))
        for (part, source), tally in sorted(
            tallies.items(), key=lambda item: (item[0][0], item[0][1] == "all", item[0])
        )
    ]


def as_text(rows: list[Row]) -> str:
    """The table, and below it whether the rules keep to their limits."""
    lines = [f"{'part':10} {'source':18} {'films':>6} {'refused':>7} {'share':>7}  by rule"]
    for row in rows:
        rules = ", ".join(f"{code} {count}" for code, count in sorted(row.refused.items()))
        refused = row.refused.total()
        lines.append(
            f"{row.part:10} {row.source:18} {row.films:6} {refused:7} {100 * row.share:6.2f}%  {rules}".rstrip()
        )
    over = [row for row in rows if row.share > (MOST_OF_ALL if row.source == "all" else MOST_OF_A_SOURCE)]
    names = ", ".join(f"{row.source} ({row.part})" for row in over) or "none"
    lines.append(f"above {MOST_OF_ALL:.1%} of a part or {MOST_OF_A_SOURCE:.0%} of a source: {names}")
    return "\n".join(lines)


def _fault(data: Path, film: Film) -> str | None:
    """The code of the rule that refuses a film; None for one that is accepted."""
    try:
        gate.check_quality(scaled(decode((data / film.file).read_bytes(), side=SIDE), SIDE))
    except FilmError as error:
        return error.code
    return None
