"""A manifest or a folder tree -> the list of films."""

import csv
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lungcare.conditions import CODES

MANIFEST = "manifest.csv"
SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".dcm", ".dicom"}
OTHER = "other"
ROLES = ("internal", "external", "choose")

_CLASS_NAMES = {
    "normal": "normal",
    "healthy": "normal",
    "sehat": "normal",
    "pneumonia": "pneumonia",
    "tuberculosis": "tuberculosis",
    "tuberkulosis": "tuberculosis",
    "tb": "tuberculosis",
    "tbc": "tuberculosis",
    "pneumothorax": "pneumothorax",
    "pneumotoraks": "pneumothorax",
    "pneumothoraks": "pneumothorax",
}
_SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "latih": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "validasi": "validation",
    "test": "test",
    "testing": "test",
    "uji": "test",
}


class DataError(RuntimeError):
    """The data cannot be used as they are; the message says what to do."""


@dataclass
class Film:
    """One film of the data.

    file: path below the data folder, with forward slashes; the film's name everywhere.
    role: internal (for training, validation and test), external or choose (never trained on).
    group: films that must stay in one part share it, those of one patient; empty where the data name none.
    given: the part that the data themselves put it in, or "".
    age (years), sex (F or M), side (longest side of the original, in pixels): empty or 0 where they are not known.
    """

    file: str
    label: str
    source: str
    role: str = "internal"
    group: str = ""
    given: str = ""
    age_group: str = ""
    age: str = ""
    sex: str = ""
    side: int = 0
    mask: str = ""
    lung_mask: str = ""


def read_films(data: Path) -> list[Film]:
    """Films of `data`: a folder with manifest.csv, or a tree `<class>/<image>` or `<split>/<class>/<image>`.

    Links to folders are followed; images of a tree in no folder of a class are `passed_over`.
    Raises DataError when there is neither.
    """
    if not data.is_dir():
        raise DataError(f"{data} is no folder. Give a folder with {MANIFEST} or with one folder per class.")
    films = _from_manifest(data / MANIFEST) if (data / MANIFEST).is_file() else _from_tree(data)
    if not films:
        raise DataError(
            f"No films were found in {data}. Expected {MANIFEST}, or folders named after the classes "
            f"({', '.join(CODES)}; Indonesian names work too), perhaps inside train, val and test."
        )
    return films


def _from_manifest(path: Path) -> list[Film]:
    with path.open(newline="", encoding="utf-8-sig") as lines:
        rows = list(csv.DictReader(lines))
    missing = {"file", "label"} - set(rows[0] if rows else ())
    if missing:
        raise DataError(f"{path} lacks the columns {', '.join(sorted(missing))}.")
    labels = {row["label"] for row in rows} - {*CODES, OTHER}
    if labels:
        raise DataError(f"{path} has labels that are not ours: {', '.join(sorted(labels))}. Ours: {', '.join(CODES)}.")
    roles = {row.get("role") or ROLES[0] for row in rows} - set(ROLES)
    if roles:
        raise DataError(f"{path} has roles that are not ours: {', '.join(sorted(roles))}. Ours: {', '.join(ROLES)}.")
    return [
        Film(
            file=row["file"],
            label=row["label"],
            source=row.get("source") or "films",
            role=row.get("role") or ROLES[0],
            group=row.get("group") or _group_of_patient(row),
            given="official" if row.get("official_split") == "test" else "",
            age_group=row.get("age_group") or "",
            age=row.get("age") or "",
            sex=row.get("sex") or "",
            side=int(max(float(row.get("width") or 0), float(row.get("height") or 0))),
            mask=row.get("mask") or "",
            lung_mask=row.get("lung_mask") or "",
        )
        for row in rows
    ]


def _group_of_patient(row: dict[str, str]) -> str:
    """The films of one patient, whose name says something only within its source."""
    return f"{row.get('source') or 'films'} {row['patient']}" if row.get("patient") else ""


def passed_over(data: Path) -> Counter[str]:
    """How many images each folder of a tree has that lies in none of a class; none where a manifest names the films."""
    if (data / MANIFEST).is_file():
        return Counter()
    return Counter(str(data / place.parent) for place, label in _images(data) if label is None)


def _from_tree(data: Path) -> list[Film]:
    return [
        Film(place.as_posix(), label, source="films", given=_first(_SPLIT_NAMES, _folders(place)) or "")
        for place, label in _images(data)
        if label is not None
    ]


def _images(data: Path) -> Iterator[tuple[Path, str | None]]:
    """The images of a tree in order: the place of each below `data`, and the class of its innermost folder of one."""
    paths = (Path(folder) / name for folder, _, names in os.walk(data, followlinks=True) for name in names)
    for path in sorted(paths):
        if path.suffix.lower() in SUFFIXES:
            place = path.relative_to(data)
            yield place, _first(_CLASS_NAMES, reversed(_folders(place)))


def _folders(place: Path) -> list[str]:
    return [part.lower() for part in place.parts[:-1]]


def _first(names: dict[str, str], folders: Iterable[str]) -> str | None:
    return next((names[folder] for folder in folders if folder in names), None)
