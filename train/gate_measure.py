"""A gate and what it never saw -> how often it is right."""

from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from lungcare.film import Radiograph, decode
from lungcare.gate import Gate
from lungcare.margins import framings
from lungcare.reading import FilmError
from train import gate_views as views
from train.gate_pictures import LATERAL, Picture
from train.pack import grey_levels
from train.quality import SIDE
from train.split import Placed, Split

PARTS = ("test", "official", "external")
EACH = 150

# What a correction says of a film, as the code of the refusal that it spares.
_REASON = {"turned_left": "sideways", "turned_right": "sideways"}

Make = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def measured(gate: Gate, split: Split, data: Path, pictures: list[Picture], seed: int) -> dict:
    """All figures of a gate but those of kinds left out: films refused, pictures refused, reasons right."""
    films = {part: [p for p in split.films if p.part == part] for part in PARTS}
    unseen = [picture for picture in pictures if picture.part == "test"]
    return {
        "films": {part: films_refused(gate, data, own) for part, own in films.items() if own},
        "pictures": pictures_refused(gate, data, unseen),
        "faults": faults(gate, data, films["test"], unseen, np.random.default_rng(seed)),
    }


def films_refused(gate: Gate, data: Path, films: list[Placed]) -> dict:
    """How many films are refused, and how many turned or inverted that lie right: in all, by source, of children."""
    told = list(zip(films, _answers(gate, (data / p.film.file for p in films)), strict=True))

    def row(keep: Callable[[Placed], bool]) -> dict:
        answers = [answer for placed, answer in told if keep(placed)]
        refused, corrected = (Counter(codes[0] for codes in column if codes) for column in zip(*answers, strict=True))
        return {
            "films": len(answers),
            "refused": refused.total() / len(answers),
            "corrected": corrected.total() / len(answers),
            "codes": dict(sorted(refused.items())),
        }

    table = row(lambda placed: True)
    sources = sorted({p.film.source for p in films})
    table["sources"] = {source: row(lambda p, source=source: p.film.source == source) for source in sources}
    if any(map(_is_child, films)):
        table["children"] = row(_is_child)
    return table


def pictures_refused(gate: Gate, data: Path, pictures: list[Picture]) -> dict:
    """How many pictures that are no frontal chest film are refused: in all, by kind, and the hard ones apart."""
    told = list(zip(pictures, _answers(gate, (data / picture.file for picture in pictures)), strict=True))

    def row(keep: Callable[[Picture], bool]) -> dict:
        refused = [bool(codes) for picture, (codes, _) in told if keep(picture)]
        return {"pictures": len(refused), "refused": sum(refused) / len(refused) if refused else None}

    return {
        **row(lambda picture: True),
        "other_radiographs": row(lambda picture: picture.radiograph and picture.kind != LATERAL),
        "lateral_films": row(lambda picture: picture.kind == LATERAL),
        "kinds": {
            kind: row(lambda picture, kind=kind: picture.kind == kind) for kind in sorted({p.kind for p in pictures})
        },
    }


def faults(gate: Gate, data: Path, films: list[Placed], unseen: list[Picture], rng: np.random.Generator) -> dict:
    """Films and pictures with one fault each: how often it is noticed, and how often the reason is the right one.

    A film that is set right is noticed for the reason that is given for it.
    """
    chosen = [films[i] for i in rng.permutation(len(films))[:EACH]]
    levels = [grey_levels(decode((data / p.film.file).read_bytes()).pixels) for p in chosen]
    table = {}

    def add(code: str, answers: list[tuple[tuple[str, ...], tuple[str, ...]]]) -> None:
        reasons = [refused or tuple(_REASON.get(code, code) for code in corrected) for refused, corrected in answers]
        table[code] = {
            "pictures": len(answers),
            "noticed": sum(map(bool, reasons)) / len(answers),
            "right": sum(code in reason for reason in reasons) / len(answers),
            "read": sum(not refused for refused, _ in answers) / len(answers),
        }

    for code, make in one_fault().items():
        add(code, [_checked(gate, Radiograph(make(film, rng).astype(np.float32) / 255)) for film in levels])
    pairs = zip(levels, levels[1:] + levels[:1], strict=True)
    add(
        "several_in_one",
        [_checked(gate, Radiograph(views.several(list(pair), rng).astype(np.float32) / 255)) for pair in pairs],
    )
    for code, is_own in (("lateral_film", True), ("not_a_chest_film", False)):
        own = [picture for picture in unseen if (picture.kind == LATERAL) == is_own]
        if own:
            add(code, _answers(gate, (data / picture.file for picture in own)))
    return shares_right(table)


def shares_right(table: dict[str, dict]) -> dict:
    """The rows of all faults, and how often the reason is right: mean over the faults, and of all pictures."""
    shares, pictures = ([row[name] for row in table.values()] for name in ("right", "pictures"))
    return {
        "right": float(np.mean(shares)),
        "right_of_pictures": float(np.average(shares, weights=pictures)),
        "faults": table,
    }


def one_fault() -> dict[str, Make]:
    """What each fault does to a film, uint8 (h, w) in and out, by the code that it has to be noticed with."""
    return {
        "too_dark": lambda film, rng: film * rng.uniform(0.02, 0.25),
        "too_bright": lambda film, rng: 255 - (255 - film) * rng.uniform(0.02, 0.2),
        "no_contrast": lambda film, rng: 127 + (film - 127.0) * rng.uniform(0.02, 0.18),
        "nearly_empty": _on_a_page,
        "inverted": lambda film, rng: 255 - film,
        "upside_down": lambda film, rng: np.rot90(film, 2),
        "sideways": lambda film, rng: np.rot90(film, int(rng.choice([1, 3]))),
        "wide_margins": _within_margins,
        "part_of_chest": views.part,
        "photograph_of_film": views.far,
    }


def _within_margins(film: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A film within black, white or grey margins: above and below, beside it or all around."""
    reach = 0.5 * (np.array([(1, 0), (0, 1), (0.5, 0.5)])[rng.integers(3)] * rng.uniform(0.2, 1))
    pads = [(round(share * side), round(share * side)) for share, side in zip(reach, film.shape, strict=True)]
    return np.pad(film, pads, constant_values=int(rng.choice([0, 255, 128])))


def _on_a_page(film: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A film that fills 3 to 12 % of a page."""
    page = np.zeros([round(side / rng.uniform(0.03, 0.12) ** 0.5) for side in film.shape], np.uint8)
    page[: film.shape[0], : film.shape[1]] = film
    return page


def _answers(gate: Gate, paths: Iterable[Path]) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda path: _checked(gate, decode(path.read_bytes())), paths))


def _checked(gate: Gate, radiograph: Radiograph) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The code of the refusal, and the corrections; each empty where there is none."""
    try:
        return (), gate.check(*framings(radiograph, SIDE)).corrections
    except FilmError as error:
        return (error.code,), ()


def _is_child(placed: Placed) -> bool:
    return placed.film.age_group == "child" or placed.film.source == "kermany"
