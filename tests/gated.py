"""A gate trained on drawn chests and drawn other things, for tests where there are no real films."""

import csv
import json
from pathlib import Path

import numpy as np

from lungcare.bundle import CARD, GATE, Card, GateCard, record_of
from tests import phantom

FILMS, PICTURES = 60, 28
THRESHOLDS = {"least_frontal": 0.5, "most_distance": 2.0, "sure": 0.8}


def hand(seed: int = 0, side: int = 320) -> np.ndarray:
    """Draw the bones of a hand: float32 (side, side), 0 to 1."""
    rng = np.random.default_rng([seed, 1])
    y, x = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    pixels = 0.5 * _bone(x, y, 0, 0.45, 0, 0.42, 0.4)
    for finger in range(5):
        angle = (finger - 2) * 0.33 + rng.uniform(-0.04, 0.04)
        for joint, length in enumerate((0.3, 0.18, 0.13)):
            reach = 0.1 + 0.36 * joint * 0.75 + length / 2
            pixels += 0.8 * _bone(x, y, np.sin(angle) * reach, 0.25 - np.cos(angle) * reach, angle, 0.05, length / 2)
    return np.clip(pixels + rng.normal(0.05, 0.02, pixels.shape), 0, 1).astype(np.float32)


def cat(seed: int = 0, side: int = 320) -> np.ndarray:
    """Draw a cat's face: float32 (side, side), 0 to 1."""
    rng = np.random.default_rng([seed, 2])
    y, x = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    pixels = np.full(x.shape, 0.9)
    for ear in (-1, 1):
        pixels[(np.abs(x - 0.42 * ear) < 0.3 * (y + 0.95)) & (y < -0.2)] = 0.45
    pixels[np.hypot(x / 0.7, (y - 0.1) / 0.62) < 1] = rng.uniform(0.4, 0.55)
    for eye in (-1, 1):
        pixels[np.hypot((x - 0.28 * eye) / 0.14, (y + 0.05) / 0.1) < 1] = 0.85
        pixels[np.hypot((x - 0.28 * eye) / 0.03, (y + 0.05) / 0.09) < 1] = 0.05
    pixels[(np.abs(x) < 0.3 - y) & (y > 0.2) & (y < 0.3)] = 0.15
    for whisker in (0.3, 0.38, 0.46):
        pixels[(np.abs(y - whisker - 0.15 * (np.abs(x) - 0.3)) < 0.008) & (np.abs(x) > 0.2)] = 0.05
    return np.clip(pixels + rng.normal(0, 0.02, pixels.shape), 0, 1).astype(np.float32)


def pages(seed: int = 0, side: int = 320) -> np.ndarray:
    """Draw a page of writing: float32 (side, side), 0 to 1."""
    rng = np.random.default_rng([seed, 3])
    pixels = np.full((side, side), 0.95, np.float32)
    for line in range(20, side - 20, int(rng.integers(9, 16))):
        for word in range(15, side - 40, 34):
            pixels[line : line + 4, word : word + int(rng.integers(8, 30))] = 0.1
    return pixels


OTHERS = {"hand": hand, "cat": cat, "page": pages}


def data(folder: Path) -> Path:
    """A folder of drawn films with a manifest, and of drawn pictures that are no films, as `train` takes them."""
    films = [
        {"file": f"{look}-{n}.png", "label": look, "source": "drawn", "group": f"{look}-{n}", "role": "internal"}
        for look in phantom.LOOKS
        for n in range(FILMS // len(phantom.LOOKS))
    ]
    pictures = [
        {"file": f"not_chest/{kind}-{n}.png", "kind": kind, "source": "drawn", "radiograph": "no"}
        for kind in OTHERS
        for n in range(PICTURES)
    ]
    (folder / "not_chest").mkdir(parents=True)
    for row in films:
        look, _, number = row["file"].removesuffix(".png").rpartition("-")
        (folder / row["file"]).write_bytes(phantom.film(look, int(number)))
    for row in pictures:
        number = int(row["file"].removesuffix(".png").rpartition("-")[2])
        (folder / row["file"]).write_bytes(phantom.encode(OTHERS[row["kind"]](number)))
    for path, rows in ((folder, films), (folder / "not_chest", pictures)):
        with (path / "manifest.csv").open("w", newline="") as lines:
            writer = csv.DictWriter(lines, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    return folder


def train(folder: Path) -> Path:
    """Train a gate on drawn films; returns its run.

    Its thresholds are set by hand: what was chosen on a handful of drawings that are nearly alike is too strict for all
    others.
    """
    from train.gate import Lesson, train_gate
    from train.prepare import prepare

    prepare(data(folder / "data"), folder / "prepared", size=256, seed=0, per_class=None, resplit=False)
    lesson = Lesson(frontal=800, part=150, several=120, photograph=120, mixed=50, drawn=120, picture=4, lateral=4)
    card = train_gate(folder / "prepared", folder / "gate", lesson)
    (folder / "gate" / "gate.json").write_text(card.model_copy(update=THRESHOLDS).model_dump_json(indent=1) + "\n")
    return folder / "gate"


def put(run: Path, bundle: Path) -> None:
    """Put the gate of a run into a bundle."""
    (bundle / GATE).write_bytes((run / GATE).read_bytes())
    card = Card.model_validate_json((bundle / CARD).read_bytes())
    gate = GateCard.model_validate_json((run / "gate.json").read_bytes())
    changes = {"gate": gate, "files": card.files | {GATE: record_of(bundle / GATE)}}
    text = json.dumps(card.model_copy(update=changes).model_dump(mode="json"), indent=2)
    (bundle / CARD).write_text(text + "\n", encoding="utf-8")


def _bone(x: np.ndarray, y: np.ndarray, left: float, top: float, angle: float, width: float, length: float):
    across = (x - left) * np.cos(angle) + (y - top) * np.sin(angle)
    along = (y - top) * np.cos(angle) - (x - left) * np.sin(angle)
    distance = np.hypot(across / width, along / length)
    return 1 / (1 + np.exp(np.clip(10 * (distance - 1), -40, 40)))
