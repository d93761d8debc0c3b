"""The thesis's experiments beside ours: the part of docs/EXPERIMENTS.md that `python -m train experiments` fills."""

from collections.abc import Iterator
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from train import cells
from train.cells import FIGURES, READER, THESIS, contradicts_itself, over_seeds, read_beside, read_cells, said
from train.verdicts import verdicts

PICTURE = Path("images") / "experiments.svg"
_HEAD = """
## The thesis's tables, run again

Written by `python -m train experiments depth`, `tuning`, `doubts` and `beside` from `docs/results/experiments/*.json`;
the thesis's figures stand in `train/thesis.json`. Films: the balanced subset that `python -m train prepare --per-class
2500` draws, brought to the size by bilinear interpolation. Ours: mean over the seeds, in brackets the lowest and
highest end of the seeds' 95 % intervals (bootstrap over groups). A cell that was not run is empty. Figures in per cent.
Batch normalisation averages with the momentum told: Keras's, 0.99, is slow for so few steps. After each epoch 200 films
of the validation part are looked at; nothing is chosen by them.
"""
_TUNING = """### Batch and size, four blocks

In brackets behind the thesis's accuracy stand its precision, recall and F1. On a balanced test set the recall over all
classes is the accuracy: cells of the thesis that differ there by more than a rounding are marked *. Precision, recall
and F1 of ours are macro averages. All our cells have one budget (`tuning --views 512 --epochs 5`, on films that
`prepare --size 640` packed).
"""
_BUDGET = (
    "films enlarged to the size | seeds | parameters | films an epoch, epochs, momentum "
    "| seconds of the quickest epoch, cores"
)

_DOUBTS = """
### What the accuracy is worth

Four blocks, 240 px, batch 32, one budget for all rows. Twins: every film is in the set twice before it is split, so
that of the test films eight in ten are in training too; the thesis found 8,546 pneumonias where the collection that it
cites has 4,273, and 3,174 normals where it has 1,583. Unseen: trained without two sources (named above), and scored on
all that the subset has of these two; no pneumothorax is among them, for all of ours come from one archive. Lungs
blanked: the test films with the lungs, as our segmenter finds them, filled with the film's mean grey. The published
networks had other budgets (`models/*/card.json`).
"""


def thesis(results: Path, docs: Path) -> str:
    """All of it as Markdown. Draws its pictures below `docs`."""
    doubts = list(_doubts(results))
    parts = [_HEAD, verdicts(results), "", depth(results), ""]
    parts += [_each(results, "depth", docs), tuning(results), "", _each(results, "tuning", docs)]
    _draw(doubts, docs / PICTURE)
    parts += [_DOUBTS, f"![What the accuracy is worth]({PICTURE.as_posix()})", "", "| | accuracy |", "|---|---|"]
    parts += [f"| {name} | {said(figure)} |" for name, figure in doubts]
    return "\n".join(parts)


def _each(results: Path, table: str, docs: Path) -> str:
    """What every cell of a table came to, drawn and in figures; nothing where none was run."""
    told = [cell for name in FIGURES[table] for cell in read_cells(results, table, name)]
    told.sort(key=lambda cell: cell["seed"])  # a row of the picture for each
    if not told:
        return ""
    picture = PICTURE.with_name(f"{table}.svg")
    cells.draw(told, docs / picture)
    alt = "Accuracy by epoch and confusion matrix of each cell"
    return "\n".join([f"![{alt}]({picture.as_posix()})", "", cells.LEGEND, "", cells.reports(told), ""])


def depth(results: Path) -> str:
    """The thesis's table of depth beside ours."""
    lines = [
        "### Depth, 240 px",
        "",
        f"| blocks | accuracy, thesis | accuracy, ours | recall of tuberculosis, thesis | ours | {_BUDGET} |",
        f"{'|---' * 10}|",
    ]
    for blocks, theirs in FIGURES["depth"].items():
        ours = read_cells(results, "depth", blocks)
        recall = theirs.get("recall_tuberculosis")
        found = [100 * told["test"]["report"]["tuberculosis"]["recall"] for told in ours]
        lines.append(
            f"| {blocks} | {theirs['accuracy']} | {_accuracy(ours)} | {f'{100 * recall:.0f}' if recall else ''} "
            f"| {f'{sum(found) / len(found):.1f}' if found else ''} | {_budget(ours)} |"
        )
    return "\n".join(lines)


def tuning(results: Path) -> str:
    """The thesis's table of batch and size beside ours, with those of its cells that contradict themselves."""
    lines = [
        _TUNING,
        f"| batch | size, px | accuracy, thesis | ours | precision, recall, F1, ours | {_BUDGET} |",
        f"{'|---' * 10}|",
    ]
    for name, theirs in FIGURES["tuning"].items():
        ours = read_cells(results, "tuning", name)
        batch, size = name.split("-")
        mark = "*" if contradicts_itself(theirs) else ""
        lines.append(
            f"| {batch} | {size} | {theirs['accuracy']}{mark} ({theirs['precision']}, {theirs['recall']}, "
            f"{theirs['f1']}) | {_accuracy(ours)} | {_macro(ours)} | {_budget(ours)} |"
        )
    return "\n".join(lines)


def _macro(ours: list[dict]) -> str:
    """Precision, recall and F1 over all classes, mean over the seeds."""
    rows = [told["test"]["report"]["macro avg"] for told in ours]
    figures = ("precision", "recall", "f1-score") if rows else ()
    return ", ".join(f"{100 * sum(row[figure] for row in rows) / len(rows):.0f}" for figure in figures)


def _accuracy(ours: list[dict]) -> str:
    return said(over_seeds(ours))


def _budget(ours: list[dict]) -> str:
    if not ours:
        return " | | | | "
    first = ours[0]
    enlarged, momentum = f"{100 * first['enlarged']:.0f} %", first["recipe"]["norm_momentum"]
    return (
        f"{enlarged} | {len(ours)} | {first['parameters']:,} | {first['films_an_epoch']:,}, {len(first['history'])}, "
        f"{momentum} | {first['seconds_an_epoch']:.0f}, {first['cores']}"
    )


def _doubts(results: Path) -> Iterator[tuple[str, dict | None]]:
    """What is compared, and its accuracy; None where it was not run."""

    def ours(table: str, name: str, part: str) -> dict | None:
        return over_seeds(read_cells(results, table, name), part)

    claimed = FIGURES["tuning"]["8-640"]["accuracy"] / 100
    yield "the thesis's best, as it says (640 px)", {"value": claimed, "low": claimed, "high": claimed}
    yield "four blocks, test films", ours("depth", "4", "test")
    yield "… with twins", ours("doubts", "twins", "test")
    yield "… without two sources, test films of the others", ours("doubts", "unseen", "test")
    yield "… films of these two, unseen", ours("doubts", "unseen", "unseen")
    yield "… lungs blanked", ours("depth", "4", "lungs_blanked")
    models = read_beside(results)
    for name, called in ((THESIS, "the thesis's network as published"), (READER, "the published reader")):
        told = models.get(name, {})
        yield f"{called}, the same test films", told.get("test", {}).get("accuracy")
        yield f"{called}, lungs blanked", told.get("lungs_blanked", {}).get("accuracy")
        for source, figure in told.get("external", {"not run": None}).items():
            yield f"{called}, outside: {source}", figure


def _draw(doubts: list[tuple[str, dict | None]], path: Path) -> None:
    """The rows as points with their intervals, into an SVG file that is the same for the same rows."""
    shown = [(name, figure) for name, figure in doubts if figure][::-1]
    values = [100 * figure["value"] for _, figure in shown]
    ends = [[100 * abs(figure[end] - figure["value"]) for _, figure in shown] for end in ("low", "high")]
    path.parent.mkdir(parents=True, exist_ok=True)
    with matplotlib.rc_context(cells.STYLE | {"font.size": 8}):
        figure = Figure(figsize=(7.2, 0.6 + 0.24 * len(shown)), layout="constrained")
        axes = figure.subplots()
        axes.errorbar(values, range(len(shown)), xerr=ends, fmt="o", color="#1f6f8b", ecolor="#9fb8c3", markersize=4)
        axes.axvline(25, color="#b5651d", linewidth=1, linestyle="--")
        axes.annotate("chance", (25.5, len(shown) - 0.7), color="#b5651d", fontsize=7)
        axes.set_yticks(range(len(shown)), [name for name, _ in shown])
        axes.set(xlim=(0, 100), ylim=(-0.6, len(shown) - 0.2), xlabel="accuracy, %")
        axes.grid(axis="x", alpha=0.3)
        figure.savefig(path, metadata={"Date": None})
