"""`python -m train prepare`: data -> checked, grouped, split and packed films in a folder."""

import json
import logging
from pathlib import Path

from train import split as splits
from train.duplicates import exact_copies, joined_groups, near_pairs
from train.manifest import DataError, Film, passed_over, read_films
from train.pack import LUNGS, check_and_pack

log = logging.getLogger(__name__)

SPLIT = "split.csv"
ORIGIN = "origin.json"


def prepare(data: Path, folder: Path, size: int, seed: int, per_class: int | None, resplit: bool) -> splits.Split:
    """Check, de-duplicate, split and pack the films of `data` into `folder`.

    size: side of the packed squares, in pixels. per_class: films of each class to keep, or None for all.
    Returns the split; writes films.npy, split.csv, origin.json and report.json.
    """
    for place, count in passed_over(data).items():
        log.warning("passed over, in no folder of a class: %d images in %s", count, place)
    films = read_films(data)
    for name in (ORIGIN, LUNGS):  # of films that may have been others; the first comes last, when all is whole
        (folder / name).unlink(missing_ok=True)
    thumbnails, checksums, unreadable = check_and_pack(data, films, size, folder)
    for index, reason in unreadable.items():
        log.warning("left out, cannot be read (%s): %s", reason, films[index].file)
    copies, contradicting = _exact(films, checksums, unreadable)
    for index in contradicting:
        log.warning("left out, the same file stands under two classes: %s", films[index].file)
    kept = [i for i in range(len(films)) if i not in unreadable and i not in copies and i not in contradicting]
    if not kept:
        raise DataError(f"No film of {data} can be used.")

    pairs = near_pairs(thumbnails[kept])
    kept_films = [films[i] for i in kept]
    groups = joined_groups([film.group for film in kept_films], pairs)
    split = splits.draw(kept_films, groups, seed, resplit)
    apart = [p.film for p in split.films if p.film.given and not p.part]
    if apart:
        log.warning(
            "%d films are near-alike to films held back from training (--resplit draws anew); left out:", len(apart)
        )
        for film in apart:
            log.warning("  %s %s", film.given, film.file)
    empty = [part for part in ("train", "validation", "test") if all(p.part != part for p in split.films)]
    if empty:
        raise DataError(
            f"The films of {data} leave no {' and no '.join(empty)} part: of each class a tenth goes into "
            "validation and test, whole groups at a time. More films are needed."
        )
    if per_class:
        split = splits.balanced(split, per_class, seed)

    splits.write(split, folder / SPLIT)
    report = {
        "films": len(films),
        "unreadable": [films[i].file for i in unreadable],
        "exact_copies": [films[i].file for i in sorted(copies)],
        "contradicting": [films[i].file for i in sorted(contradicting)],
        "near_pairs": len(pairs),
        "groups": len(set(groups)),
        "leaks": split.leaks(),
        "left_out_beside_official": sum(p.part == "" for p in split.films) if not per_class else None,
        "checksum": split.checksum,
    }
    (folder / "report.json").write_text(json.dumps(report, indent=1))
    (folder / ORIGIN).write_text(json.dumps({"data": str(data.resolve()), "seed": seed, "size": size}))
    return split


def open_prepared(folder: Path) -> tuple[splits.Split, Path]:
    """The split in a prepared folder, and the data folder that it was made from."""
    if not (folder / ORIGIN).is_file():
        raise DataError(f"{folder} holds no prepared films. Run `python -m train prepare --data DATA --out {folder}`.")
    data = Path(json.loads((folder / ORIGIN).read_text())["data"])
    return splits.read(folder / SPLIT, read_films(data)), data


def _exact(films: list[Film], checksums: list[str], unreadable: dict[int, str]) -> tuple[set[int], set[int]]:
    """Exact copies to drop (all but the first), and films whose copies contradict each other's class."""
    readable = [i for i in range(len(films)) if i not in unreadable]
    drop, contradicting = set(), set()
    for together in exact_copies([checksums[i] for i in readable]):
        indices = [readable[i] for i in together]
        if len({films[i].label for i in indices}) > 1:
            contradicting.update(indices)
        else:
            drop.update(indices[1:])
    return drop, contradicting
