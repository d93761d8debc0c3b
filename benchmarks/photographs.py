"""What becomes of a reading when the film is photographed: python -m benchmarks.photographs [--films N] [--model NAME]

Takes films of the test part, photographs them by transformation (train/photograph.py: perspective, surroundings,
reflections, moiré; then JPEG), reads both and writes docs/results/photographs-<name>.json and docs/PHOTOGRAPHS.md. Of
those that are read it counts the findings that change and the mean absolute difference of the probabilities; those that
are refused are counted apart.
"""

import argparse
import json
import os
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from lungcare.film import decode
from lungcare.reader import Reader
from lungcare.reading import Reading
from train.manifest import read_films
from train.pack import grey_levels
from train.photograph import Shot, careful, careless, photograph
from train.split import RECORDED
from train.split import read as read_split

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "docs" / "results"
PAGE = ROOT / "docs" / "PHOTOGRAPHS.md"
FILMS = Path(os.environ.get("LUNGCARE_FILMS", ROOT.parent / "shared" / "data"))
HEAD = """# Films that are photographed

Written by `python -m benchmarks.photographs` from `docs/results/photographs-*.json`: films of the test part are
photographed by transformation (`train/photograph.py`) and read, beside how they are read themselves. Of the photographs
that are read: the share whose finding changes, and the mean absolute difference of the probabilities. The last two rows
draw how strong each fault is anew for each film; the others have one strength.
"""
QUALITY = 85
REFUSED = "photograph_of_film"

SHOTS: dict[str, Callable[[np.random.Generator], Shot]] = {
    "straight and close": lambda rng: Shot(),
    "corners off by 2 %, turned by 2 degrees": lambda rng: Shot(fill=0.97, tilt=0.02, turn=2),
    "corners off by 6 %, turned by 5 degrees": lambda rng: Shot(fill=0.92, tilt=0.06, turn=5),
    "corners off by 14 %": lambda rng: Shot(fill=0.85, tilt=0.14),
    "film on 70 % of the side, on a light box": lambda rng: Shot(fill=0.7, surround=230),
    "film on 50 % of the side, in a dark room": lambda rng: Shot(fill=0.5, surround=25),
    "faint reflection": lambda rng: Shot(glare=40),
    "reflection": lambda rng: Shot(glare=110),
    "strong reflection": lambda rng: Shot(glare=250),
    "faint moiré": lambda rng: Shot(moire=0.03),
    "moiré": lambda rng: Shot(moire=0.1),
    "strong moiré": lambda rng: Shot(moire=0.25),
    "all together, carefully": careful,
    "all together, carelessly": careless,
}


def main() -> None:
    """Measure, print the table and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--films", type=int, default=200, help="how many films (default: %(default)s)")
    parser.add_argument("--model", default="lungcare", help="bundle in models/ (default: %(default)s)")
    options = parser.parse_args()
    reader = Reader.open(options.model)
    rng = np.random.default_rng(0)
    test = [p.film.file for p in read_split(RECORDED, read_films(FILMS)).films if p.part == "test"]
    names = [test[i] for i in rng.permutation(len(test))[: options.films]]
    films = [grey_levels(decode((FILMS / name).read_bytes()).pixels) for name in names]
    before = [reader.read(_jpeg(film)) for film in films]
    rows = {}
    for name, shot in SHOTS.items():
        after = [reader.read(_jpeg(photograph(film, shot(rng), rng))) for film in films]
        rows[name] = compared(before, after)
        print(name, rows[name], flush=True)
    result = {"model": reader.tag, "films": len(films), "refused_before": _refused(before), "shots": rows}
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"photographs-{reader.bundle.card.name}.json"
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(page(RESULTS), encoding="utf-8")
    print(table(result))


def compared(before: list, after: list) -> dict:
    """What the photographs of the films that were read become."""
    pairs = [(own, its) for own, its in zip(before, after, strict=True) if isinstance(own, Reading)]
    read = [(own, its) for own, its in pairs if isinstance(its, Reading)]
    codes = [its.code for _, its in pairs if not isinstance(its, Reading)]
    return {
        "films": len(pairs),
        "read": len(read),
        "refused_as_photograph": codes.count(REFUSED),
        "refused_otherwise": len(codes) - codes.count(REFUSED),
        "changed_finding": _mean([own.finding != its.finding for own, its in read]),
        "mean_difference": _mean([np.abs(_vector(own) - _vector(its)).mean() for own, its in read]),
    }


def page(results: Path) -> str:
    """Each model's table, and what becomes of the photographs of its last two rows together."""
    parts = [HEAD]
    for path in sorted(results.glob("photographs-*.json")):
        result = json.loads(path.read_text(encoding="utf-8"))
        parts += [f"## {result['model']}, {result['films']} films\n", table(result), together(result)]
    return "\n".join(parts)


def together(result: dict) -> str:
    """What becomes of the photographs that differ from film to film, careful and careless ones together."""
    drawn = [row for name, row in result["shots"].items() if name.startswith("all together") and row["read"]]
    read = sum(row["read"] for row in drawn)
    if not read:
        return "\nOf the last two rows' photographs none is read.\n"
    changed = sum(round(row["read"] * row["changed_finding"]) for row in drawn)
    difference = sum(row["read"] * row["mean_difference"] for row in drawn) / read
    return f"""
Of the last two rows' {read} photographs that are read, {changed} change their finding ({100 * changed / read:.1f} %),
and the probabilities differ by {difference:.3f} in the mean.
"""


def table(result: dict) -> str:
    """The results as a Markdown table."""
    lines = [
        "| photograph | read | refused as photograph | refused otherwise | finding changes | mean difference |",
        "|---|---|---|---|---|---|",
    ]
    for name, row in result["shots"].items():
        shares = [row[code] / row["films"] for code in ("read", "refused_as_photograph", "refused_otherwise")]
        changed = ["" if row["read"] == 0 else f"{100 * row['changed_finding']:.1f} %"]
        difference = ["" if row["read"] == 0 else f"{row['mean_difference']:.3f}"]
        cells = [f"{100 * share:.1f} %" for share in shares] + changed + difference
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _refused(answers: list) -> int:
    return sum(not isinstance(answer, Reading) for answer in answers)


def _mean(values: list) -> float | None:
    return round(float(np.mean(values)), 4) if values else None


def _vector(reading: Reading) -> np.ndarray:
    return np.array(list(reading.probabilities.model_dump().values()))


def _jpeg(film: np.ndarray) -> bytes:
    return cv2.imencode(".jpg", film, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes()


if __name__ == "__main__":
    main()
