"""Cards -> the figures in the README, between two markers."""

import re
from pathlib import Path

from lungcare.bundle import Bundle, Card

BEGIN, END = "<!-- quality:begin -->", "<!-- quality:end -->"


def write_readme(models: Path, readme: Path) -> None:
    """Write the table of measured quality of all bundles in `models` into the README, where it has the markers."""
    if not readme.is_file() or BEGIN not in (text := readme.read_text()):
        return
    block = f"{BEGIN}\n{quality(models)}\n{END}"
    readme.write_text(re.sub(f"{BEGIN}.*?{END}", lambda _: block, text, flags=re.DOTALL))


def quality(models: Path) -> str:
    """Measured quality of each bundle as a Markdown table, from nothing but the cards."""
    cards = [Bundle(path.parent).card for path in sorted(models.glob("[!.]*/card.json"))]
    lines = [
        "Written by `python -m train publish` from `models/*/card.json`; 95 % intervals by bootstrap over groups.",
        "",
        "| | " + " | ".join(f"`{card.tag}`, {card.input.size} px" for card in cards) + " |",
        "|---|" + "---|" * len(cards),
    ]
    for name, cells in _rows(cards):
        if any(cells):
            lines.append(f"| {name} | " + " | ".join(cell or "not measured" for cell in cells) + " |")
    return "\n".join(lines)


def _rows(cards: list[Card]) -> list[tuple[str, list[str]]]:
    test, official = _part(cards, "test"), _part(cards, "official")
    external = _part(cards, "external")
    rows = [
        ("Balanced accuracy, test films", [_figure(part.get("balanced_accuracy")) for part in test]),
        *(
            (f"AUC {code}, test films", [_figure(part.get("auc", {}).get(code)) for part in test])
            for code in cards[0].conditions
        ),
    ]
    inside = sorted({name for part in test for name in part.get("inside", {})})
    for name in inside:
        if not name.startswith("pneumothorax") or name.endswith("archive"):
            cells = [_figure(part.get("inside", {}).get(name)) for part in test]
            rows.append((f"AUC {name}, against normals of the same origin", cells))
    rows.append(("Kermany's official test, normal or not", [_figure(part.get("normal_or_not")) for part in official]))
    sources = sorted({name for part in external for name in part.get("by_source", {}) if not name.startswith("other/")})
    for name in sources:
        cells = [_figure(part.get("by_source", {}).get(name, {}).get("accuracy")) for part in external]
        rows.append((f"Outside the training sources: {name}, read as such", cells))
    return rows


def _part(cards: list[Card], name: str) -> list[dict]:
    return [card.metrics.get(name, {}) for card in cards]


def _figure(figure: dict | None) -> str:
    if not figure:
        return ""
    return f"{figure['value']:.3f} ({figure['low']:.3f} to {figure['high']:.3f}), {figure['films']} films"
