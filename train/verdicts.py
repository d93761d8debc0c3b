"""What of the thesis's experiments repeats, and what does not: sentences, each from the results that it needs."""

from collections.abc import Iterator
from pathlib import Path

from scipy.stats import spearmanr

from train.cells import FIGURES, READER, THESIS, contradicts_itself, over_seeds, read_beside, read_cells, said


def verdicts(results: Path) -> str:
    """A Markdown list with its heading; a sentence is left out where its cells were not run."""
    told = (_level, _order, _spread, _unseen, _blanked, _twins, _beside, _contradictions)
    return "\n".join(["### What repeats, and what does not", "", *(f"- {s}" for part in told for s in part(results))])


def _level(results: Path) -> Iterator[str]:
    cells = [over_seeds(read_cells(results, table, name)) for table in ("depth", "tuning") for name in FIGURES[table]]
    if run := [figure for figure in cells if figure]:
        best = max(run, key=lambda figure: figure["value"])
        claimed = max(cell["accuracy"] for cell in FIGURES["tuning"].values())
        yield f"Level: the best of our cells reaches {said(best)}, the thesis's {claimed}."


def _order(results: Path) -> Iterator[str]:
    for table, called in (("depth", "depths"), ("tuning", "batches and sizes")):
        figures = {name: over_seeds(read_cells(results, table, name)) for name in FIGURES[table]}
        run = [name for name, figure in figures.items() if figure]
        if len(run) > 2:
            theirs = [FIGURES[table][name]["accuracy"] for name in run]
            agreement = spearmanr(theirs, [figures[name]["value"] for name in run]).statistic
            yield (
                f"Order of the {called}: the rank correlation (Spearman) of the thesis's {len(run)} accuracies with "
                f"ours is {agreement:.2f} (1 where the order repeats, 0 by chance)."
            )


def _spread(results: Path) -> Iterator[str]:
    """Whether the depths differ by more than the seeds of one depth do."""
    by_depth = {
        blocks: [told["test"]["accuracy"]["value"] for told in read_cells(results, "depth", blocks)]
        for blocks in FIGURES["depth"]
    }
    widths = [max(values) - min(values) for values in by_depth.values() if len(values) > 1]
    means = [sum(values) / len(values) for values in by_depth.values() if values]
    if widths and len(means) > 1:
        between, within = max(means) - min(means), max(widths)
        verdict = "more" if between > within else "no more"
        yield (
            f"Between the seeds of one depth the accuracy differs by up to {100 * within:.1f} points, between the "
            f"means of the depths by {100 * between:.1f}: {verdict} than the seeds alone."
        )


def _unseen(results: Path) -> Iterator[str]:
    cells = read_cells(results, "doubts", "unseen")
    if cells:
        names = " and ".join(cells[0]["recipe"]["leave_out"])
        yield (
            f"Other hospitals: trained without {names}, four blocks reach {said(over_seeds(cells))} on test films of "
            f"the other sources, and {said(over_seeds(cells, 'unseen'))} on films of these two."
        )


def _blanked(results: Path) -> Iterator[str]:
    cells = read_cells(results, "depth", "4")
    if blanked := over_seeds(cells, "lungs_blanked"):
        yield (
            f"Beside the lungs: with the lungs blanked, four blocks still reach {said(blanked)} of "
            f"{said(over_seeds(cells))}, where chance is 25."
        )


def _twins(results: Path) -> Iterator[str]:
    plain, twins = over_seeds(read_cells(results, "depth", "4")), over_seeds(read_cells(results, "doubts", "twins"))
    if plain and twins:
        added = 100 * (twins["value"] - plain["value"])
        verdict = "beyond" if twins["low"] > plain["high"] or twins["high"] < plain["low"] else "within"
        yield f"Twins: every film twice before the split: {added:+.1f} points of accuracy, {verdict} the intervals."


def _beside(results: Path) -> Iterator[str]:
    models = read_beside(results)
    if models.keys() >= {THESIS, READER}:
        theirs, reader = ([told["test"]["accuracy"], told["external"]] for told in (models[THESIS], models[READER]))
        outside = "; ".join(
            f"{source} {said(theirs[1][source])} and {said(figure)}" for source, figure in reader[1].items()
        )
        yield (
            f"The thesis's network as published reaches {said(theirs[0])} on the same test films, the published reader "
            f"{said(reader[0])}. Outside: {outside}."
        )


def _contradictions(results: Path) -> Iterator[str]:
    def named(cells: list[str]) -> str:
        return ", ".join("batch {} at {} px".format(*name.split("-")) for name in cells)

    differing = [name for name, cell in FIGURES["tuning"].items() if cell["accuracy"] != cell["recall"]]
    impossible = [name for name in differing if contradicts_itself(FIGURES["tuning"][name])]
    rounded = [name for name in differing if name not in impossible]
    yield (
        "Cells of the thesis whose recall is not their accuracy, as it must be on a balanced test set: "
        f"{named(impossible)}; by one point, as when one of them is cut off and the other rounded: {named(rounded)}."
    )
