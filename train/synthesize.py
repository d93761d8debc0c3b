"""`python -m train synthesize`: the training part -> drawn films of no patient, judged, and the pool of examples."""

import json
import logging
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from lungcare.bundle import open_bundle
from lungcare.conditions import CODES
from lungcare.reader import Reader
from lungcare.settings import Settings
from train import signs
from train.appearance import (
    SIDE,
    Appearance,
    aligned,
    drawn,
    in_frame,
    learn,
    outlined,
    radial_power,
)
from train.examples import POOL, Pooled
from train.manifest import DataError
from train.outlines import warp
from train.prepare import open_prepared

log = logging.getLogger(__name__)

FIGURES = "figures.json"
# Collections of large films, framed alike, that each class is learned from.
SOURCES = {
    "normal": ("nih", "mixed_normals", "openist", "rsna"),
    "tuberculosis": ("shenzhen", "tbx11k"),
    "pneumothorax": ("siim",),
    "pneumonia": ("covid_radiography", "cxnet", "nih", "rsna_equalised"),
}
MOST_FILMS = 550
COMPONENTS = 120
# How far films and outlines stray from the mean, as shares of what real ones do.
BREADTH, SHAPES = 0.8, 0.5
RIBS, VESSELS, GRAIN = 0.45, 0.3, 0.4
# Below this radius of spatial frequency, in periods a film, no grain is added.
FINEST_SHAPE = 25
# Mean grey level and deviation of a drawn film, 0 to 1.
MEAN, DEVIATION = 0.5, 0.28
# What is shown of the frame, in shares of it: beyond lies what many films do not have. Left, top, right, bottom.
SHOWN = (0.04, 0.09, 0.96, 0.93)
LONGEST = 320
PER_CONDITION = 12


@dataclass(frozen=True)
class Judged:
    """What a model makes of drawn films of one class. wanted: seeds of those read as that class, the surest first."""

    drawn: int
    accepted: int
    read_as: int
    wanted: tuple[int, ...]


def synthesize(prepared: Path, run: Path, model: str, out: Path, unselected: int, seed: int) -> dict[str, Judged]:
    """Learn each class, draw films, and put the 12 of each class that read right most surely into a pool.

    run: what was learned and drawn stays here and is not made again; run/<class>.png shows all films unselected.
    out: folder of the pool, replaced. unselected: films drawn of each class. seed: of the first film.
    Raises DataError when too few films read as what they were drawn as.
    """
    run.mkdir(parents=True, exist_ok=True)
    learn_missing(prepared, run)
    reader = Reader(open_bundle(model), Settings.model_construct())
    judged, pool = {}, []
    for code in CODES:
        folder = run / "unselected" / code
        seeds = range(seed, seed + unselected)
        draw_missing(run, code, folder, seeds)
        contact_sheet([folder / f"{number:05d}.png" for number in seeds], run / f"{code}.png")
        judged[code] = judge(reader, code, folder, seeds)
        log.info("%s: %s", code, judged[code])
        if len(judged[code].wanted) < PER_CONDITION:
            raise DataError(
                f"Of {unselected} films drawn as {code}, {reader.tag} reads {len(judged[code].wanted)} so; "
                f"{PER_CONDITION} are needed. Draw more: --unselected."
            )
        chosen = judged[code].wanted[:PER_CONDITION]
        pool += [(Pooled(f"{code}/{number:05d}.png", code, number), folder / f"{number:05d}.png") for number in chosen]
    _write_pool(pool, out)
    told = {"model": reader.tag, "classes": {code: asdict(own) for code, own in judged.items()}}
    (run / FIGURES).write_text(json.dumps(told, indent=1) + "\n")
    return judged


def draw(model: Appearance, code: str, seed: int, shapes: float = SHAPES) -> np.ndarray:
    """The film of a class and a seed: uint8, longest side 320. The same seed gives the same film.

    shapes: how far its outlines stray from the mean; 0 leaves it aligned.
    """
    rng = np.random.default_rng([seed, CODES.index(code)])
    grey, points = drawn(model, rng, BREADTH, shapes)
    field = signs.Field(in_frame(model.mean_points, model.frame), SIDE)
    bare = grey + signs.ribs(field, rng, RIBS)
    film = bare + signs.vessels(field, rng, VESSELS)
    if code == "pneumonia":
        film = signs.pneumonia(film, field, rng)
    elif code == "tuberculosis":
        film = signs.tuberculosis(film, field, rng)
    elif code == "pneumothorax":
        film = signs.pneumothorax(film, bare, field, rng)
    missing = model.spectrum - radial_power(film)
    missing[:FINEST_SHAPE] = 0
    film = film + GRAIN * signs.grain(film, missing, rng)
    left, top, side = model.frame
    source = warp(points, model.mean_points, np.array([left, top]), side, SIDE)
    source = in_frame(source, model.frame).astype(np.float32)
    shown = cv2.remap(film.astype(np.float32), source, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    left, top, right, bottom = (round(share * SIDE) for share in SHOWN)
    shown = shown[top:bottom, left:right]
    scale = LONGEST / max(shown.shape)
    shown = cv2.resize(shown, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    return (np.clip(MEAN + DEVIATION * shown, 0, 1) * 255).round().astype(np.uint8)


def judge(reader: Reader, code: str, folder: Path, seeds: range) -> Judged:
    """What a model makes of drawn films."""
    answers = {number: reader.read((folder / f"{number:05d}.png").read_bytes()) for number in seeds}
    read = {number: answer for number, answer in answers.items() if answer.outcome == "read"}
    right = {number: answer for number, answer in read.items() if answer.finding == code}
    as_they_lie = [number for number, answer in right.items() if not answer.corrections]
    wanted = sorted(as_they_lie, key=lambda number: -getattr(right[number].probabilities, code))
    return Judged(drawn=len(seeds), accepted=len(read), read_as=len(right), wanted=tuple(wanted))


def contact_sheet(films: list[Path], path: Path, columns: int = 8) -> None:
    """All films side by side."""
    rows = -(-len(films) // columns)
    sheet = Image.new("L", (columns * LONGEST, rows * LONGEST))
    for place, film in enumerate(films):
        with Image.open(film) as picture:
            sheet.paste(picture, (place % columns * LONGEST, place // columns * LONGEST))
    sheet.save(path)


def learn_missing(prepared: Path, run: Path) -> None:
    """Learn the appearance of each class in the training part, and keep it in run/<class>.npz; what is kept stays.

    All classes lie on the same mean outlines, those of all training films. The films that it was learned from stay
    aligned in run/aligned-<class>.npz. Raises DataError where too few can be used.
    """
    missing = [code for code in SOURCES if not (run / f"{code}.npz").is_file()]
    if not missing:
        return
    split, data = open_prepared(prepared)
    films = [p.film for p in split.films if p.part == "train"]
    log.info("finding the outlines of %d films", len(films))
    points = outlined(prepared, films)
    if not points:
        raise DataError(f"On no film of {prepared} were two whole lungs found.")
    mean_points = np.mean(list(points.values()), axis=0)
    rng = np.random.default_rng(0)
    for code, sources in SOURCES.items():
        own = [film.file for film in films if film.label == code and film.source in sources and film.file in points]
        order = rng.permutation(len(own))
        if code not in missing:
            continue
        found = _first_aligned(data, [own[place] for place in order], points, mean_points)
        if len(found) <= COMPONENTS:
            raise DataError(f"Only {len(found)} films of {code} fill the frame; {COMPONENTS + 1} are needed.")
        pixels, outlines = np.stack(list(found.values())), np.stack([points[file] for file in found])
        np.savez(aligned_films(run, code), films=pixels, files=list(found))
        learn(pixels, outlines, mean_points, COMPONENTS).save(run / f"{code}.npz")
        log.info("learned %s from %d films", code, len(found))


def aligned_films(run: Path, code: str) -> Path:
    """Where the films that a class was learned from lie, aligned: uint8 (films, 352, 352), and their names."""
    return run / f"aligned-{code}.npz"


def _first_aligned(data: Path, files: list[str], points: dict, mean_points: np.ndarray) -> dict[str, np.ndarray]:
    """The first films that fill the frame, aligned, by name."""
    found = {}
    for file in files:
        film = aligned(data, file, points[file], mean_points)
        if film is not None:
            found[file] = film
        if len(found) == MOST_FILMS:
            break
    return found


def draw_missing(run: Path, code: str, folder: Path, seeds: range) -> None:
    """Draw the films of a class that are not in a folder yet. Raises DataError where the class was never learned."""
    folder.mkdir(parents=True, exist_ok=True)
    missing = [number for number in seeds if not (folder / f"{number:05d}.png").is_file()]
    if not missing:
        return
    if not (run / f"{code}.npz").is_file():
        raise DataError(f"{run / f'{code}.npz'} is missing. Run `python -m train synthesize` first.")
    model = Appearance.load(run / f"{code}.npz")

    def one(number: int) -> None:
        unfinished = folder / f"{number:05d}.unfinished"
        Image.fromarray(draw(model, code, number)).save(unfinished, "PNG", optimize=True)
        unfinished.replace(folder / f"{number:05d}.png")

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(one, missing))


def _write_pool(pool: list[tuple[Pooled, Path]], out: Path) -> None:
    for code in CODES:
        shutil.rmtree(out / code, ignore_errors=True)
        (out / code).mkdir(parents=True)
    for film, source in pool:
        shutil.copyfile(source, out / film.file)
    (out / POOL).write_text(json.dumps({"films": [asdict(film) for film, _ in pool]}, indent=1) + "\n")
