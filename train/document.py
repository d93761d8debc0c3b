"""Cards and results -> the figures in README and docs/EXPERIMENTS.md."""

import json
import re
from pathlib import Path

from lungcare.bundle import Bundle, Card
from train.measure import as_interval
from train.recipe import STEPS, Recipe
from train.thesis import thesis

EXPERIMENTS = """# Experiments

Written by `python -m train compare RUN…`, `leave-out SOURCE…` (`--head`: the last layer made anew) and `score` (a run
blended, or with another last layer) from `docs/results/*.json`, where all settings of each run stand; 95 % intervals by
bootstrap over groups. Below a table it is told what made each run, by what it sets otherwise than the one above it that
it is most like.

## What they say

Rows to hold against each other. From one seed to the next a figure on sources left out moves as far as grown and
grown-seed2 lie apart; a smaller difference of two runs is no finding.

- Lungs set into the body of another film, and grey levels borrowed from one: lungcare-1.0.2 and 1.0.3, transplanted and
  body followed. The lungs tell the class from there on, hardly the body.
- What the source says of the class told to the network (priors): short-pairs-seed1-head and short-priors-seed1-head
  without shenzhen, rsna_equalised. Fewer normal films of a new hospital are taken for tuberculosis; some
  tuberculosis is missed for it, and the films of known hospitals lose a little (lungcare-1.0.14 and 1.0.15).
- The last layer made anew on even groups: short and short-head without rsna_equalised. More of the
  pneumonia there is found.
- One half of a film alone, and a pneumothorax drawn into normal films: lungcare-1.0.13, 1.0.14, 1.0.19 and 1.0.20,
  grafted and drawn. All films with a pneumothorax come from one archive; the signs are read more, but the archive is
  still followed.
- Two scales of each film: even-01-0.6-head and counted-01-0.6-scales-head. Better where it was trained, no better
  elsewhere (short-counted-seed2).
- Weights averaged with those of versions before: lungcare-1.0.17 and 1.0.18. Better where it was trained.
- A second network that began apart: first-head and lungcare, archive followed and drawn; grown, grown-seed2 and
  grown-pair. It reads a new hospital nearly as well as the better of the two, and nobody need know which
  that is.
- No gain: films of 288 px for 224 (grown-288, grown-224), a larger network (lite2), films moved and zoomed further
  (wider), learning from several others (taught), ranks in place of grey levels (ranked), the window around the lungs
  alone (framed), lungs that are never cut off (kept).
"""
TRIED = """
## Readers tried

On the validation part, at the size of the run, before any calibration. Cells: mean over class and source of the share
read rightly. Resaved, lungs blanked, only lungs: balanced accuracy on films changed so (resaved: as JPEG of quality
50). Transplanted: lungs set into the body of a film of another class, balanced accuracy by the lungs; body followed:
share of these read as the body's class. Grafted: one lung of a film with a pneumothorax on one side set into normal
films of other collections, AUC of those with it against those with the other lung; archive followed: share of the
latter read as pneumothorax. Drawn: AUC of a pneumothorax that a program drew into normal films of all collections
against a fold of skin at the same place.
By code that was not kept, the runs named even smoothed labels before the priors, and the one named native saw films of
256 px in a square of 224: at its larger scale the middle of a film as it is, where the others enlarge one of 224 px.
The one named far has the body of lungcare 1.0.18 and other scales, by `train.scales.scale`: the command takes none.
"""
LEFT_OUT = """
## Sources left out

A run without some sources, scored on all films of these: the nearest thing to a new hospital. Shenzhen's is one; the
films of rsna_equalised come from NIH's archive, as those of rsna_128, which stay in, so that they are new in their
processing alone. AUC is that of p(disease) / (p(disease) + p(normal)), films of one source only. Of the names of the
runs the part that says what they were trained without is not repeated. Runs with priors whose recipe is the same differ
in the code, which their names say: what counted as one archive (train/priors.py; by-source, rsna-apart); whether films
that are shown by a half count in the priors, and the other half is named one of three classes or an even mixture of
them (even and counted: not, and one; the others: they do, and a mixture); whether labels are smoothed before the priors
(even) or after them. A pair is two networks side by side, each trained on as many views and seeing one of the scales;
the runs named kept never cut the lungs off where they move a film; those named lite2 are of EfficientNet-Lite2 in
Lite0's place; those named ranked are given every grey level's rank in its film; those named taught learn, by the share
told, the mean of what the networks that are named say of each view, and else its label: all by code that was not kept.
The runs base, mild-0.5 and priors follow one another: mild-0.5 is half base and half a run on from it, as 1.0.19 was
made, priors a run on from mild-0.5, as those of 1.0.20 are. grown and grown-seed2 differ in the seed alone; grown-pair
is these two side by side, the second with the share told, and grown-224 and grown-288 are runs on from grown at these
sizes.
"""
FIRST = "short-without-"
TRIED_FIGURES = (
    "balanced_accuracy",
    "cells",
    "lowest_auc",
    "resaved",
    "lungs_blanked",
    "only_lungs",
    "transplanted",
    "body_followed",
    "grafted",
    "archive_followed",
    "drawn",
)
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
        "Each model on the test part of the split that it was trained on; the thesis's is a balanced subset.",
        "Where all films were read rightly the interval has no width: of n, up to 3 / n may be read wrongly.",
        "",
        "| | " + " | ".join(f"`{card.tag}`, {card.input.size} px" for card in cards) + " |",
        "|---|" + "---|" * len(cards),
    ]
    for name, cells in _rows(cards):
        if any(cells):
            lines.append(f"| {name} | " + " | ".join(cell or "not measured" for cell in cells) + " |")
    return "\n".join(lines)


def write_experiments(results: Path, page: Path) -> None:
    """Write docs/EXPERIMENTS.md from the files in docs/results."""
    parts = [
        EXPERIMENTS,
        TRIED,
        tried(results),
        LEFT_OUT,
        left_out(results),
        thesis(results, page.parent),
    ]
    page.write_text("\n".join(parts) + "\n")


def tried(results: Path) -> str:
    """The runs of `python -m train compare`, in the order in which they were first compared, as a Markdown table."""
    path = results / "tried.json"
    runs = json.loads(path.read_text()) if path.is_file() else {}
    rows = {run: {name.replace("_", " "): told.get(name) for name in TRIED_FIGURES} for run, told in runs.items()}
    return _runs_table(runs, rows)


def _runs_table(runs: dict[str, dict], rows: dict[str, dict[str, dict | None]]) -> str:
    """Figures of runs as a Markdown table, and what made each of them as a list. rows: run -> name -> figure."""
    columns = list(dict.fromkeys(name for row in rows.values() for name in row))
    films = {name: {row[name]["films"] for row in rows.values() if row.get(name)} for name in columns}
    heads = [f"{name}, {next(iter(own))} films" if len(own) == 1 else name for name, own in films.items()]
    lines = ["| run | trained on | " + " | ".join(heads) + " |", "|---|---|" + "---|" * len(heads)]
    for run, row in rows.items():
        cells = [_figure(row.get(name), with_films=len(films[name]) > 1) for name in columns]
        lines.append(f"| {run} | {_trained_on(runs[run])} | " + " | ".join(cells) + " |")
    lines.append("")
    above: dict[str, dict] = {}
    for run, told in runs.items():
        lines.append(f"- {run}: {_told_by(told['recipe'], above)}{_made_of(told)}")
        above[run] = told["recipe"]
    return "\n".join(lines)


def _told_by(recipe: dict, above: dict[str, dict]) -> str:
    """What a recipe sets otherwise than the one it is most like, the last of several."""
    if not above:
        return "the first"
    differing = {run: _changes(recipe, other) for run, other in above.items()}
    nearest = min(reversed(differing), key=lambda run: len(differing[run]))
    return f"as {nearest}" + "".join(f", {change}" for change in differing[nearest])


def _made_of(told: dict) -> str:
    """What is said of weights that `blend` averaged, of an `ensemble`, of `scales`, and of a last layer made anew."""
    blend, scales, head, others = (told.get(step) for step in STEPS)
    said = ""
    if blend and len(blend.get("seeds", [])) > 1:
        said += f"; mean of {len(blend['seeds'])} seeds"
        if len(set(epochs := blend.get("epochs", []))) > 1:
            said += f", after {', '.join(map(str, epochs))} epochs"
    if blend and blend["starts"]:
        shares = (f"{100 * share:g} % from {start}" for start, share in blend["starts"].items())
        said += f"; of the weights {' and '.join(shares)}"
    if scales:
        said += f"; each film seen {' and '.join(f'{scale:g}' for scale in scales)} times as large"
    if beside := told.get("beside"):
        said += f", the second by another network ({changed(beside['recipe'], told['recipe'])})"
    if head:
        said += f"; last layer made anew{_mixed(head)}, shrinkage {head['shrink']:g}"
    for other in others or ():
        differs = (changed(other["recipe"], told["recipe"]) or "the same recipe") + _made_of(other)
        said += f"; beside it {other['run']}, {100 * other['share']:g} % of the logits ({differs})"
    return said


def _mixed(head: dict) -> str:
    """How much of the last layer is new: all of it in some results of a trial that was not kept, normal raised too."""
    share = f" by {100 * head['share']:.0f} %" if "share" in head else ""
    return share + (f", normal raised by {head['lift']:g} deviations of the logits" if head.get("lift") else "")


def _trained_on(told: dict) -> str:
    recipe = told["recipe"]
    sizes = ", then ".join(str(size) for _, size in recipe["sizes"])
    blend = told.get("blend") or {}
    epochs = sum(blend.get("epochs") or [told["epochs"]] * len(blend.get("seeds", [0])))
    views = epochs * recipe["steps"] * recipe["batch"]
    shown = f"{views:,} views, " if views else ""
    packed = f", films packed at {told['packed']} px" if "packed" in told else ""
    return f"{shown}{sizes} px{packed}"


def left_out(results: Path) -> str:
    """What each run says of the sources that it was not trained on: a Markdown table for each choice of sources."""
    runs = {
        path.stem.removeprefix("leave-out-"): json.loads(path.read_text())
        for path in sorted(results.glob("leave-out-*.json"))
    }
    parts = []
    for sources in sorted({tuple(told["left_out"]) for told in runs.values()}):
        without = f"without-{'-'.join(sources)}"
        own = {run: told for run, told in runs.items() if tuple(told["left_out"]) == sources}
        named = {
            run.replace(f"-{without}", ""): own[run] for run in sorted(own, key=lambda run: not run.startswith(FIRST))
        }
        beside = next(iter(own.values()))["left_out_beside"]
        parts.append(
            f"### Without {', '.join(sources)}\n\n"
            f"With them {beside} films of other sources went that are near-alike to theirs.\n\n"
            + _runs_table(named, {run: _left_out_figures(told) for run, told in named.items()})
        )
    return "\n\n".join(parts)


def _left_out_figures(told: dict) -> dict[str, dict]:
    figures = {f"AUC {name}": figure for name, figure in told["inside"].items()}
    shares = {f"{name}, read as such": cell["accuracy"] for name, cell in told["by_source"].items()}
    values, films = zip(*((share["value"], share["films"]) for share in shares.values()), strict=True)
    mean = {"mean of the shares": {"value": sum(values) / len(values), "films": sum(films)}}
    return figures | shares | (mean if len(shares) > 1 else {})


def changed(recipe: dict, first: dict | None) -> str:
    """What a recipe sets otherwise than the first one, sources left out apart. What came later is at its default."""
    return ", ".join(_changes(recipe, first))


def _changes(recipe: dict, first: dict | None) -> list[str]:
    unset = {name: field.default for name, field in Recipe.model_fields.items() if not field.is_required()}
    ours, theirs = _flat(unset | recipe), _flat(unset | (first or {}))
    names = sorted(name for name in {*ours, *theirs} - {"leave_out"} if ours.get(name) != theirs.get(name))
    return [f"{name} {_named(ours[name]) if name in ours else 'not set'}" for name in names]


def _named(value: object) -> object:
    """A setting as it is told: of files of networks the folders of their runs."""
    files = isinstance(value, list) and value and all(isinstance(each, str) for each in value)
    return " and ".join(Path(file).parent.name for file in value) if files else value


def _flat(table: dict) -> dict:
    """{"a": {"b": 1}} -> {"a.b": 1}"""
    flat = {}
    for name, value in table.items():
        inner = {f"{name}.{key}": each for key, each in _flat(value).items()} if isinstance(value, dict) else None
        flat |= {name: value} if inner is None else inner
    return flat


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
    held = [part.get("calibration", {}).get("after") for part in test]
    rows.append(("Expected calibration error, test films", [f"{told['ece']:.3f}" if told else "" for told in held]))
    certain = [part.get("certainty", {}) for part in test]
    rows.append(("Share of test films that it is certain of", [_figure(told.get("coverage")) for told in certain]))
    rows.append(("Accuracy where it is certain, test films", [_figure(told.get("certain")) for told in certain]))
    for code in cards[0].conditions[1:]:
        reached = [part.get("operating_points", {}).get(code, {}).get("screening", {}) for part in test]
        for name in ("sensitivity", "specificity"):
            rows.append((f"Screening for {code}: {name}, test films", [_figure(told.get(name)) for told in reached]))
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


def _figure(figure: dict | None, with_films: bool = True) -> str:
    if not figure:
        return ""
    value = as_interval(figure) if "low" in figure else f"{figure['value']:.3f}"
    return f"{value}, {figure['films']} films" if with_films else value
