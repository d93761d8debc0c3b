"""What every cell of the thesis's tables came to: its curves, its confusion matrix and its classification report."""

import json
from collections.abc import Iterator
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from lungcare.conditions import CODES

FIGURES = json.loads((Path(__file__).parent / "thesis.json").read_text())
BESIDE = "beside.json"
THESIS, READER = "thesis-cnn4", "lungcare"
# Letters stay letters, so that the files are small.
STYLE = {
    "svg.hashsalt": "lungcare",
    "svg.fonttype": "none",
    "font.size": 7,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
LETTERS = dict(zip(CODES, ("N", "P", "TB", "PTX"), strict=True))
LEGEND = (
    "Above: accuracy by epoch. Below: confusion matrix of the test films, in per cent of the true class ("
    + ", ".join(f"{letters} {code}" for code, letters in LETTERS.items())
    + ")."
)
_HEAD = """<details><summary>The classification report of each cell</summary>

| cell | class | precision | recall | F1 | films |
|---|---|---|---|---|---|"""
_INK, _PALE = "#1f6f8b", "#9fb8c3"
# One for each depth, and one for each size.
_COLUMNS = {"depth": 5, "tuning": 3}


def contradicts_itself(theirs: dict) -> bool:
    """Whether the recall of a cell of the thesis differs from its accuracy by more than a rounding."""
    return abs(theirs["accuracy"] - theirs["recall"]) > 1


def read_cells(results: Path, table: str, name: str) -> list[dict]:
    """The results of one cell, one for each seed."""
    paths = sorted((results / "experiments").glob(f"{table}-{name}-seed*.json"))
    return [json.loads(path.read_text()) for path in paths]


def read_beside(results: Path) -> dict:
    """What the published networks made of the same test films, by their names; {} where that was not run."""
    path = results / "experiments" / BESIDE
    return json.loads(path.read_text())["models"] if path.is_file() else {}


def over_seeds(each: list[dict], part: str = "test") -> dict | None:
    """The accuracy of one cell with several seeds: the mean, and the ends of all their intervals; None without one."""
    figures = [told[part]["accuracy"] for told in each if part in told]
    if not figures:
        return None
    return {
        "value": sum(figure["value"] for figure in figures) / len(figures),
        "low": min(figure["low"] for figure in figures),
        "high": max(figure["high"] for figure in figures),
    }


def said(figure: dict | None) -> str:
    """A figure with its interval, in per cent."""
    return f"{100 * figure['value']:.1f} ({100 * figure['low']:.1f} to {100 * figure['high']:.1f})" if figure else ""


def reports(cells: list[dict]) -> str:
    """The classification reports on the test films, in per cent, as a folded Markdown table."""
    return "\n".join([_HEAD, *(row for told in cells for row in _report(told)), "", "</details>"])


def _report(told: dict) -> Iterator[str]:
    for name in (*CODES, "macro avg"):
        row = told["test"]["report"][name]
        figures = " | ".join(f"{100 * row[figure]:.1f}" for figure in ("precision", "recall", "f1-score"))
        yield f"| {called(told)} | {name} | {figures} | {row['support']:.0f} |"


def called(told: dict) -> str:
    """What a cell is called on the page: what its table varies, and the seed."""
    recipe = told["recipe"]
    what = {"depth": f"depth {recipe['blocks']}", "tuning": f"batch {recipe['batch']}, {recipe['sizes'][0][1]} px"}
    return f"{what.get(told['table'], told['cell'])}, seed {told['seed']}"


def draw(cells: list[dict], path: Path) -> None:
    """For each cell its accuracy by epoch, above its confusion matrix in shares of the true class, into an SVG file.

    cells: at least one, all of one table.
    """
    columns = min(_COLUMNS[cells[0]["table"]], len(cells))
    rows = -(-len(cells) // columns)
    path.parent.mkdir(parents=True, exist_ok=True)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(1.75 * columns, 3.3 * rows), layout="constrained")
        axes = figure.subplots(2 * rows, columns, squeeze=False)
        for axis in axes.ravel():
            axis.set_axis_off()
        for number, told in enumerate(cells):
            row, column = divmod(number, columns)
            _draw_curves(axes[2 * row, column], told)
            _draw_confusion(axes[2 * row + 1, column], told["test"]["confusion"])
        axes[0, 0].legend(fontsize=6, frameon=False)
        figure.savefig(path, metadata={"Date": None})


def _draw_curves(axis, told: dict) -> None:
    epochs = [row["epoch"] for row in told["history"]]
    for name, label, color in (("accuracy", "training", _PALE), ("val_accuracy", "validation", _INK)):
        axis.plot(epochs, [100 * row[name] for row in told["history"]], label=label, color=color)
    axis.set_axis_on()
    axis.set(title=called(told), ylim=(0, 100), xlabel="epoch", ylabel="accuracy, %")
    axis.title.set_fontsize(7)
    axis.grid(alpha=0.3)


def _draw_confusion(axis, counts: list[list[int]]) -> None:
    shares = [[count / max(1, sum(row)) for count in row] for row in counts]
    axis.set_axis_on()
    axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, values in enumerate(shares):
        for column, share in enumerate(values):
            axis.annotate(
                f"{100 * share:.0f}",
                (column, row),
                ha="center",
                va="center",
                fontsize=6,
                color="white" if share > 0.5 else "#222222",
            )
    axis.set_xticks(range(len(LETTERS)), LETTERS.values())
    axis.set_yticks(range(len(LETTERS)), LETTERS.values())
    axis.set(xlabel="read as", ylabel="is")
