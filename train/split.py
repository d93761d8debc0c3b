"""Groups of films -> parts: train, validation, test and those that no training may see."""

import csv
import gzip
import hashlib
import io
import random
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from pathlib import Path

from train.manifest import DataError, Film

PARTS = ("train", "validation", "test", "official", "external", "choose")
SHARES = {"validation": 0.1, "test": 0.1}
FEW = 50
NOWHERE = ""
# Which of the shared films was where: `python -m train prepare --data ../shared/data --record train/split.csv.gz`.
RECORDED = Path(__file__).parent / "split.csv.gz"


@dataclass(frozen=True)
class Placed:
    """A film with its group and its part; part "" is left out of everything."""

    film: Film
    group: str
    part: str


@dataclass(frozen=True)
class Split:
    """All films with their parts, in a fixed order."""

    films: tuple[Placed, ...]

    @property
    def checksum(self) -> str:
        """SHA-256 over every film's name, label, group and part."""
        lines = "".join(f"{p.film.file}\t{p.film.label}\t{p.group}\t{p.part}\n" for p in self.films)
        return hashlib.sha256(lines.encode()).hexdigest()

    def leaks(self) -> list[str]:
        """Groups whose films are in more than one part."""
        parts = defaultdict(set)
        for placed in self.films:
            if placed.part:
                parts[placed.group].add(placed.part)
        return sorted(group for group, where in parts.items() if len(where) > 1)

    def table(self) -> str:
        """Films per class, source and part, as text."""
        count = Counter((p.film.label, p.film.source, p.part) for p in self.films)
        rows = sorted({(label, source) for label, source, _ in count})
        lines = [f"{'class':<14}{'source':<19}" + "".join(f"{part:>11}" for part in PARTS) + f"{'left out':>11}"]
        for label, source in rows:
            cells = [count[label, source, part] for part in (*PARTS, NOWHERE)]
            lines.append(f"{label:<14}{source:<19}" + "".join(f"{cell or '':>11}" for cell in cells))
        totals = Counter(p.part for p in self.films)
        lines.append(f"{'all':<33}" + "".join(f"{totals[part]:>11}" for part in (*PARTS, NOWHERE)))
        return "\n".join(lines)


def draw(films: list[Film], groups: list[str], seed: int, resplit: bool = False) -> Split:
    """Split by group, 80/10/10, stratified by class and source; by class alone where the sources are too small for it.

    A split given by the data is kept when it has a test part (unless `resplit`), but for films of a group with some
    that are held back from training: these get no part. Its validation part is drawn anew from its training part when
    it holds fewer than 50 films. Films of role external and choose get parts of those names; official test films
    (kermany) a part of their own, and other films of their groups no part.
    """
    parts = [NOWHERE] * len(films)
    for index, film in enumerate(films):
        if film.role != "internal":
            parts[index] = film.role
        elif film.given == "official":
            parts[index] = "official"
    barred = {group for group, part in zip(groups, parts, strict=True) if part}
    free = [i for i, part in enumerate(parts) if not part and groups[i] not in barred]

    if any(films[i].given == "test" for i in free) and not resplit:
        for i in free:
            parts[i] = films[i].given or "train"
        if sum(parts[i] == "validation" for i in free) < FEW:
            tested = {groups[i] for i in free if parts[i] == "test"}
            for i in free:
                parts[i] = "test" if parts[i] == "test" else "train"
            pool = [i for i in free if parts[i] == "train" and groups[i] not in tested]
            _draw_parts(films, groups, pool, parts, {"validation": SHARES["validation"]}, seed)
        tested = {groups[i] for i in free if parts[i] == "test"}
        held = tested | {groups[i] for i in free if parts[i] == "validation"}
        for i in free:
            if groups[i] in {"train": held, "validation": tested}.get(parts[i], ()):
                parts[i] = NOWHERE
    else:
        _draw_parts(films, groups, free, parts, SHARES, seed)
    return Split(tuple(Placed(*row) for row in zip(films, groups, parts, strict=True)))


def balanced(split: Split, per_class: int, seed: int) -> Split:
    """Keep at most `per_class` films of each class, 80/10/10 over train, validation and test; the rest goes nowhere."""
    shares = {"train": 0.8, "validation": 0.1, "test": 0.1}
    by_cell = defaultdict(list)
    for index, placed in enumerate(split.films):
        if placed.part in shares:
            by_cell[placed.part, placed.film.label].append(index)
    kept = set()
    for (part, _), indices in sorted(by_cell.items()):
        random.Random(f"{seed} {part}").shuffle(indices)
        kept.update(indices[: round(per_class * shares[part])])
    return Split(
        tuple(p if i in kept or p.part not in shares else replace(p, part=NOWHERE) for i, p in enumerate(split.films))
    )


def write(split: Split, path: Path) -> None:
    """Write a split as CSV (gzip when the name ends in .gz): file,label,source,group,part."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["file", "label", "source", "group", "part"])
    rows.writerows([p.film.file, p.film.label, p.film.source, p.group, p.part] for p in split.films)
    data = text.getvalue().encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)


def read(path: Path, films: list[Film]) -> Split:
    """Read a split that `write` wrote, for the films of the same data.

    Raises DataError when a film of the split is not among `films`.
    """
    data = path.read_bytes()
    text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
    by_file = {film.file: film for film in films}
    placed = []
    for row in csv.DictReader(io.StringIO(text)):
        if row["file"] not in by_file:
            raise DataError(f"{path} names {row['file']}, which the data lack. Run `python -m train prepare` anew.")
        placed.append(Placed(by_file[row["file"]], row["group"], row["part"]))
    return Split(tuple(placed))


def _draw_parts(
    films: list[Film], groups: list[str], pool: list[int], parts: list[str], shares: dict[str, float], seed: int
) -> None:
    """Give each film of `pool` a part, whole groups at a time, the shares kept within each class and source.

    Where that leaves a part empty, since a tenth of a few films is none, they are kept within each class.
    """
    _draw_strata(groups, pool, parts, shares, seed, [(film.label, film.source) for film in films])
    if not set(shares) <= {parts[index] for index in pool}:
        _draw_strata(groups, pool, parts, shares, seed, [film.label for film in films])


def _draw_strata(
    groups: list[str], pool: list[int], parts: list[str], shares: dict[str, float], seed: int, kinds: list
) -> None:
    """Draw the parts within each stratum: the groups whose first film is of the same kind."""
    members = defaultdict(list)
    for index in pool:
        members[groups[index]].append(index)
    strata = defaultdict(list)
    for group, indices in members.items():
        strata[kinds[indices[0]]].append(group)
    for stratum, names in sorted(strata.items()):
        names.sort()
        random.Random(f"{seed} {stratum}").shuffle(names)
        films_here = sum(len(members[name]) for name in names)
        queue = iter(names)
        for part, share in shares.items():
            placed = 0
            while placed < round(share * films_here) and (name := next(queue, None)) is not None:
                for index in members[name]:
                    parts[index] = part
                placed += len(members[name])
        for name in queue:
            for index in members[name]:
                parts[index] = "train"
