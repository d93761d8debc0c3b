"""The pictures of the model card, as PNG: reliability, certainty and audit."""

from pathlib import Path

from matplotlib.figure import Figure

from lungcare.bundle import Card
from lungcare.conditions import CODES

PARTS = {
    "test": "test part",
    "official": "Kermany's test part",
    "external": "collections never trained on",
}
CHANGES = {
    "whole": ("as it is", ""),
    "resaved": ("saved as JPEG of quality 50", "As readable as before: what falls here was read from compression."),
    "lungs_blanked": (
        "lungs blanked",
        "What can be told without any lung but its outline, which stays: above chance mostly shortcut.",
    ),
    "only_lungs": ("only the lungs", "What is left when all outside the lungs is gone."),
    "corners_masked": ("corners boxed, where letters stand", "What falls here was read from letters and marks."),
    "only_borders": ("only the outer frame", "The frame shows arms, letters and collimation: no lung disease."),
    "blurred": ("heavily blurred", "Brightness and outline: ribs and vessels are gone, and most signs of disease."),
    "only_fine": ("only fine detail", "Edges and grain without brightness: signs of disease, but of the machine too."),
}


_PNG = {"dpi": 110, "metadata": {"Software": None}}


def draw(card: Card, audits: list[dict], folder: Path) -> None:
    """Draw them as far as they were measured. audits: that of the card's own network first; or none."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = {title: card.metrics.get(part, {}) for part, title in PARTS.items()}
    held = {title: told["calibration"]["after"]["curve"] for title, told in parts.items() if "calibration" in told}
    if held:
        _reliability(held).savefig(folder / "reliability.png", **_PNG)
    curves = {title: told["certainty"]["curve"] for title, told in parts.items() if "certainty" in told}
    if curves:
        _certainty(curves).savefig(folder / "certainty.png", **_PNG)
    if audits:
        _audit(audits).savefig(folder / "audit.png", **_PNG)


def _reliability(held: dict[str, list[dict]]) -> Figure:
    drawn = Figure(figsize=(5, 4.5), layout="constrained")
    axis = drawn.subplots()
    axis.plot([0.25, 1], [0.25, 1], color="#999", linewidth=1, label="perfect")
    for title, curve in held.items():
        axis.plot([cell["said"] for cell in curve], [cell["right"] for cell in curve], marker="o", label=title)
    axis.set(xlabel="probability given for the finding", ylabel="share of findings that are right")
    axis.legend()
    return drawn


def _certainty(curves: dict[str, list[dict]]) -> Figure:
    drawn = Figure(figsize=(5, 4), layout="constrained")
    axis = drawn.subplots()
    for title, curve in curves.items():
        axis.plot([cell["coverage"] for cell in curve], [cell["accuracy"] for cell in curve], label=title)
    axis.set(xlabel="share of films, the surest first", ylabel="accuracy among them")
    axis.legend()
    return drawn


def _audit(audits: list[dict]) -> Figure:
    """Balanced accuracy after each change, a bar for each model."""
    names = [name for name in CHANGES if name in audits[0]["changes"]]
    drawn = Figure(figsize=(8, 3.8), layout="constrained")
    axis = drawn.subplots()
    width = 0.8 / len(audits)
    for place, audit in enumerate(audits):
        told = [audit["changes"].get(name, {}).get("balanced_accuracy") for name in names]
        values = [cell["value"] if cell else 0 for cell in told]
        errors = [
            [max(0, cell[a] - cell[b]) if cell else 0 for cell in told]
            for a, b in (("value", "low"), ("high", "value"))
        ]
        left = [number + (place - (len(audits) - 1) / 2) * width for number in range(len(names))]
        axis.bar(left, values, width, yerr=errors, capsize=2, label=audit["name"])
    axis.axhline(1 / len(CODES), color="#444", linestyle="--", linewidth=1, label="chance")
    axis.set(ylabel="balanced accuracy", ylim=(0, 1), xticks=range(len(names)))
    axis.set_xticklabels([CHANGES[name][0].replace(", ", ",\n") for name in names], fontsize=8)
    axis.legend()
    return drawn
