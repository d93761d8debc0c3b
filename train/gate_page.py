"""Figures of the gate -> docs/GATE.md and docs/results/gate.json."""

from pathlib import Path

from lungcare.bundle import GateCard

INTRODUCTION = """# What is read at all

Written by `python -m train gate --record docs` from what it measured; `docs/results/gate.json` has all figures.

Before the network, a film passes the gate (`lungcare/gate.py`): rules of quality first, then a small network that lies
in the bundle and knows nothing of the reader. It says how likely the picture is a frontal chest film, another kind,
which way up it lies and whether it is inverted; and how far it is from the frontal films of the training part. The
thresholds were chosen on the validation part. What lies wrong or is inverted is set right where that is sure, and the
reading says so. Before all this, margins of one grey level are cut off where they take a tenth of the height or width
(`lungcare/margins.py`); what is refused so is judged once more with them. [What becomes of readings when films are
photographed](PHOTOGRAPHS.md).
"""
PARTS = {
    "test": "test part",
    "official": "Kermany's official test (children)",
    "external": "external collections, seen by no training",
}


def write_gate(card: GateCard, docs: Path) -> None:
    """Write the figures of a gate into docs/GATE.md and docs/results/gate.json."""
    (docs / "results").mkdir(parents=True, exist_ok=True)
    (docs / "results" / "gate.json").write_text(card.model_dump_json(indent=1) + "\n")
    (docs / "GATE.md").write_text(as_text(card) + "\n")


def as_text(card: GateCard) -> str:
    """The page: thresholds, films refused, pictures refused, kinds left out, reasons."""
    return "\n".join([INTRODUCTION, _thresholds(card), *_films(card), *_pictures(card), *_faults(card)])


def _thresholds(card: GateCard) -> str:
    return (
        f"Read is what is a frontal chest film with a probability of at least {card.least_frontal:.2f} at a distance "
        f"of at most\n{card.most_distance:.2f}; set right is what is wrong with a probability of at least "
        f"{card.sure:.2f}. Input: {card.size} px.\n"
    )


def _films(card: GateCard) -> list[str]:
    lines = ["## Films refused wrongly", "", "| | films | refused | turned or inverted wrongly | codes |"]
    lines.append("|---|---|---|---|---|")
    for part, title in PARTS.items():
        table = card.figures["films"].get(part)
        if table is None:
            continue
        rows = {f"**{title}**": table}
        rows |= {"children": table["children"]} if "children" in table else {}
        rows |= table["sources"]
        for name, row in rows.items():
            codes = ", ".join(f"{code} {count}" for code, count in row["codes"].items())
            shares = f"{_percent(row['refused'])} | {_percent(row['corrected'])}"
            lines.append(f"| {name} | {row['films']} | {shares} | {codes} |")
    return [*lines, ""]


def _pictures(card: GateCard) -> list[str]:
    own, left_out = card.figures["pictures"], card.figures["left_out"]
    mean = sum(row["refused"] for row in left_out.values()) / len(left_out)
    lines = [
        "## Pictures that are no frontal chest film",
        "",
        "Unseen pictures: the last of each kind, which the training did not see. Kind left out: a gate that was",
        "trained without the kind, and without four or five others, with thresholds of its own, on all pictures of it.",
        "",
        "| kind | unseen pictures | refused | pictures, kind left out | refused |",
        "|---|---|---|---|---|",
        f"| **all** (left out: mean of the kinds) | {own['pictures']} | {_percent(own['refused'])} "
        f"| {sum(row['pictures'] for row in left_out.values())} | {_percent(mean)} |",
    ]
    for name, title in (("other_radiographs", "radiographs of other parts and things"), ("lateral_films", "lateral")):
        row = own[name]
        lines.append(f"| **{title}** | {row['pictures']} | {_percent(row['refused'])} | | |")
    for kind, out in left_out.items():
        row = own["kinds"].get(kind, {"pictures": 0, "refused": None})
        cells = f"{row['pictures']} | {_percent(row['refused'])} | {out['pictures']} | {_percent(out['refused'])}"
        lines.append(f"| {kind} | {cells} |")
    return [*lines, ""]


def _faults(card: GateCard) -> list[str]:
    told = card.figures["faults"]
    lines = [
        "## One fault each",
        "",
        "Films of the test part with one fault, and unseen pictures. A film that is set right counts as noticed, for",
        f"the reason that is given. The reason is right for {_percent(told['right'])} as a mean over the faults,",
        f"each of which counts the same, and for {_percent(told['right_of_pictures'])} of all pictures.",
        "",
        "| fault | pictures | noticed | reason right | read, perhaps set right |",
        "|---|---|---|---|---|",
    ]
    for code, row in told["faults"].items():
        shares = " | ".join(_percent(row[name]) for name in ("noticed", "right", "read"))
        lines.append(f"| `{code}` | {row['pictures']} | {shares} |")
    return lines


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f} %"
