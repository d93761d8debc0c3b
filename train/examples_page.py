"""docs/results -> README.md of the pool of drawn films: whether any is a copy, and how films like these are read."""

import json
from pathlib import Path

from train.measure import as_interval

LIKENESS, FIDELITY = "likeness.json", "fidelity.json"
PAGE = "README.md"
INTRODUCTION = """# Synthetic examples, no patient

Every film in this folder was drawn by a program: synthetic example, no patient. [How they are drawn and
chosen](../docs/EXAMPLES.md); `pool.json` names class and seed of each. Written by `python -m train likeness` and
`python -m train fidelity` from `docs/results/`; brackets hold 95 % intervals by bootstrap over groups of films.
"""
NOT_MEASURED = "Not measured yet: `python -m train {}`."


def write_page(results: Path, pool: Path) -> None:
    """Write the page beside the films of a pool. results: folder of likeness.json and fidelity.json."""
    (pool / PAGE).write_text(page(_read(results / LIKENESS), _read(results / FIDELITY)) + "\n", encoding="utf-8")


def page(likeness: dict, fidelity: dict) -> str:
    """The page, from what was recorded; what was not measured is said to be so."""
    return "\n".join(
        [
            INTRODUCTION,
            *("## Is any of them a copy?", "", *_likeness(likeness), ""),
            *("## How drawn films are read", "", *_judged(fidelity.get("judged")), ""),
            *("## What a network learns from drawn films alone", "", *_trained(fidelity.get("trained_on_drawn"))),
        ]
    )


def _read(path: Path) -> dict:
    return json.loads(path.read_text()) if path.is_file() else {}


def _likeness(told: dict) -> list[str]:
    if not told:
        return [NOT_MEASURED.format("likeness")]
    lines = [
        "Likeness of each film to the nearest film that its class was learned from, beside that of these real films to",
        "the nearest of another patient: correlation of aligned pixels, cosine of the features of",
        f"`{told['model']}`; 1 is a copy. Suspect is a film that is nearer than all but a hundredth of real films are.",
        "",
        "| class | by | films | nearest, median | nearest, largest | real films, median | real, 99 % | suspect |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for code, measures in told["classes"].items():
        for name, own in measures.items():
            figures = (own[key] for key in ("drawn_median", "drawn_largest", "real_median", "real_99"))
            cells = " | ".join(f"{figure:.3f}" for figure in figures)
            lines.append(f"| {code} | {name} | {own['drawn']} | {cells} | {own['suspect']} |")
    return lines


def _judged(told: dict | None) -> list[str]:
    if not told:
        return [NOT_MEASURED.format("fidelity")]
    lines = [
        f"Unselected films, as the generator draws them one after the other, read by `{told['model']}`.",
        "",
        "| class | drawn | accepted by the gate | read as the class |",
        "|---|---|---|---|",
    ]
    for code, own in told["classes"].items():
        lines.append(f"| {code} | {own['drawn']} | {own['accepted']} | {own['read_as']} |")
    return lines


def _trained(told: dict | None) -> list[str]:
    if not told:
        return [NOT_MEASURED.format("fidelity")]
    recipe, test = told["recipe"], told["test"]
    films = ", ".join(f"{count} {code}" for code, count in told["drawn_films"].items())
    lines = [
        f"The reader's network, from ImageNet's weights, trained on drawn films alone ({films};",
        f"{recipe['epochs'] * recipe['steps'] * recipe['batch']:,} views of {recipe['sizes'][-1][1]} px), without",
        f"calibration. Of drawn films that it did not see it reads {as_interval(told['drawn'])} rightly.",
        "What it does worse on real films is what drawn ones lack; by chance the balanced accuracy is 0.25.",
        "",
        "| real films of the test part | figure | films |",
        "|---|---|---|",
    ]
    rows = {"balanced accuracy": test["balanced_accuracy"], "accuracy": test["accuracy"]}
    rows |= {f"AUC {code}": figure for code, figure in test["auc"].items()}
    rows |= {f"AUC {name}, against normals of the same origin": figure for name, figure in test["inside"].items()}
    lines += [f"| {name} | {as_interval(figure)} | {figure['films']} |" for name, figure in rows.items()]
    lines += ["", "| class and source | read as its class | films | read as |", "|---|---|---|---|"]
    for name, cell in test["by_source"].items():
        read_as = ", ".join(f"{code} {share:.2f}" for code, share in cell["read_as"].items() if share)
        lines.append(f"| {name} | {as_interval(cell['accuracy'])} | {cell['films']} | {read_as} |")
    return lines
