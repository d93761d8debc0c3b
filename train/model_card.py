"""A card and docs/results -> docs/MODEL_CARD.md and its pictures: nothing in them is typed by hand."""

import json
from collections import Counter
from pathlib import Path
from string import Template

from lungcare.bundle import CARD, MODELS, Bundle, Calibration, Card
from lungcare.conditions import CODES
from lungcare.settings import Settings
from lungcare.words import say
from train.card_pictures import CHANGES, PARTS, draw
from train.certainty import ACCURACY
from train.measure import as_interval
from train.operate import SENSITIVITY
from train.recipe import STEPS

PAGE = "MODEL_CARD.md"
TEMPLATE = Path(__file__).with_suffix(".md")
CREDITS = Path(__file__).resolve().parent.parent / "lungcare" / "pages" / "credits.json"
NOT_MEASURED = "Not measured for this model."
# A kind of films that is read rightly less often than this, in so many films at least, is a known failure.
FAILING, ENOUGH = 0.67, 15


def write_model_card(models: Path = MODELS) -> None:
    """Write docs/MODEL_CARD.md and its pictures beside `models`, for the model that is served; nothing without one."""
    name = Settings.model_fields["model"].default
    if not (models / name / CARD).is_file():
        return
    docs = models.parent / "docs"
    card, audits = Bundle(models / name).card, read_audits(docs / "results")
    docs.mkdir(parents=True, exist_ok=True)
    (docs / PAGE).write_text(model_card(card, audits), encoding="utf-8")
    draw(card, own_first(card, audits), docs / "images")


def read_audits(results: Path) -> list[dict]:
    """What `python -m train audit` wrote of each model."""
    return [json.loads(path.read_text()) for path in sorted(results.glob("audit-*.json"))]


def model_card(card: Card, audits: list[dict]) -> str:
    """The model card as Markdown, from nothing but the card and the audits."""
    own = own_audit(card, audits)
    training = card.training
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        card_file=f"models/{card.name}/{CARD}",
        tag=card.tag,
        name=card.name,
        description=card.description,
        input=f"{card.input.size} by {card.input.size} px: {card.input.preprocessing}",
        trained=f"{training.get('epochs_done', 'not known')} epochs, begun {training.get('started', 'not known')}",
        data=_data(card),
        overall=_overall(card),
        outside=_outside(card),
        inside=_figures(card.metrics.get("test", {}).get("inside", {})),
        by_source=_by_source(card),
        subgroups=_subgroups(own),
        calibrated=_calibrated(card),
        calibration=_calibration(card),
        screening=f"{SENSITIVITY:.2f}",
        points=_points(card),
        certainty=_certainty(card),
        other=_other(card),
        influence=_influence(card),
        chance=f"{1 / len(CODES):.2f}",
        audited=_audited(own),
        audit=_audit(own_first(card, audits)),
        failures=_failures(card),
        reproduction=_reproduction(card),
        split=card.data.get("split", "not known"),
        commit=training.get("commit", "not known"),
    )


def own_audit(card: Card, audits: list[dict]) -> dict | None:
    """The audit of the card's own network; one of another network counts as none."""
    networks = {record.sha256 for record in card.files.values()}
    return next((audit for audit in audits if audit["network"] in networks), None)


def own_first(card: Card, audits: list[dict]) -> list[dict]:
    """The audit of the card's own network, then those of other models; [] without its own."""
    own = own_audit(card, audits)
    return [own, *(audit for audit in audits if audit["name"] != own["name"])] if own else []


def figure(told: dict | None) -> str:
    """0.912 (0.900 to 0.923), or that it was not measured."""
    return as_interval(told) if told else "not measured"


def _table(head: list[str], rows: list[list[object]]) -> str:
    if not rows:
        return NOT_MEASURED
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def _figures(table: dict[str, dict]) -> str:
    """A table of figures, each with its interval and films."""
    return _table(["", "figure", "films"], [[name, figure(told), told["films"]] for name, told in table.items()])


def _data(card: Card) -> str:
    trained = _per_source(card.data.get("training_films", {}))
    parts = {part: _per_source(_films(card, part)) for part in ("validation", "test", "official", "external")}
    sources = set(trained).union(*parts.values())
    rows = []
    for credit in json.loads(CREDITS.read_text(encoding="utf-8")):
        for source in [source for source in credit["sources"] if source in sources]:
            sources.remove(source)
            terms = say(f"about.terms.{credit['terms']}") if credit["terms"] else "not known"
            rows.append([source, credit["credit"] or "not known", terms])
    rows += [[source, "not known", "not known"] for source in sorted(sources)]
    counted = [[row[0], trained[row[0]], *(part[row[0]] for part in parts.values()), *row[1:]] for row in rows]
    return _table(["source", "training", *parts, "credit", "terms"], counted)


def _films(card: Card, part: str) -> dict[str, int]:
    return {name: cell["films"] for name, cell in card.metrics.get(part, {}).get("by_source", {}).items()}


def _per_source(films: dict[str, int]) -> Counter:
    """Films by "class/source" -> films by source."""
    count = Counter()
    for name, number in films.items():
        count[name.partition("/")[2]] += number
    return count


def _overall(card: Card) -> str:
    rows = []
    for part, title in PARTS.items():
        told = card.metrics.get(part, {})
        names = {"balanced_accuracy": "balanced accuracy", "accuracy": "accuracy", "normal_or_not": "normal or not"}
        rows += [[title, names[name], figure(told[name]), told[name]["films"]] for name in names if name in told]
        rows += [[title, f"AUC {code}", figure(own), own["films"]] for code, own in told.get("auc", {}).items()]
    return _table(["films", "measure", "figure", "films"], rows)


def _by_source(card: Card) -> str:
    rows = []
    for part, title in PARTS.items():
        for name, cell in card.metrics.get(part, {}).get("by_source", {}).items():
            read_as = ", ".join(f"{code} {share:.2f}" for code, share in cell["read_as"].items() if share)
            right = figure(cell["accuracy"]) if "accuracy" in cell else "none of the four"
            rows.append([title, name, right, cell["films"], read_as])
    return _table(["part", "class and source", "read as its class", "films", "read as"], rows)


def _subgroups(audit: dict | None) -> str:
    if audit is None:
        return NOT_MEASURED
    rows = [
        [f"{kind.replace('_', ' ')}: {name}", "read as its class", figure(told), told["films"]]
        for kind, groups in audit["groups"].items()
        if kind != "source"
        for name, told in groups.items()
    ]
    rows += [
        [f"pneumothorax, {kind}: {name}", "sensitivity", figure(told), told["films"]]
        for kind, groups in audit["pneumothorax"].items()
        for name, told in groups.items()
    ]
    told = _table(["group", "measure", "figure", "films"], rows)
    return (
        f"{told}\n\nGroups differ in their classes and sources too, so that a gap between them does not prove its "
        "cause. Sex and age are known only of a part of the films with pneumothorax, all of one archive."
    )


def _calibrated(card: Card) -> str:
    """What calibrates the network, and what it was chosen by."""
    own = card.calibration
    is_vector = own != Calibration(temperature=own.temperature)
    if is_vector:
        numbers = "; ".join(
            f"{code} {slope:.2f} and {offset:.2f}"
            for code, slope, offset in zip(CODES, own.slopes, own.offsets, strict=True)
        )
        told = f"Vector scaling, a slope and an offset for the logit of each condition ({numbers})"
    else:
        told = f"One temperature ({own.temperature:g})"
    told += ", fitted on the validation part, every class weighing the same (Guo et al. 2017)."
    folds = card.metrics.get("calibration_folds")
    if not folds:
        return told
    rows = [[name, f"{held['ece']:.4f}", f"{held['brier']:.4f}"] for name, held in folds.items()]
    return f"{told} On validation films that it was not fitted on (five folds of whole groups):\n\n" + _table(
        ["scaling", "calibration error", "Brier score"], rows
    )


def _calibration(card: Card) -> str:
    rows, worse = [], []
    for part, title in PARTS.items():
        told = card.metrics.get(part, {}).get("calibration")
        if not told:
            continue
        rows.append(_held(title, told.get("before"), told["after"]))
        before = told.get("before_by_source", {})
        rows += [_held(f"{title}: {source}", before.get(source), own) for source, own in told["by_source"].items()]
        if told.get("before") and told["after"]["ece"] > told["before"]["ece"]:
            worse.append(title)
    table = _table(["films", "error before", "error after", "Brier score before", "Brier score after"], rows)
    if not worse:
        return table
    return f"{table}\n\nThe calibration error is larger after it than before on: {', '.join(worse)}."


def _held(title: str, before: dict | None, after: dict) -> list[str]:
    """A row of the table of calibration."""
    cells = [f"{held[name]:.3f}" if held else "not measured" for name in ("ece", "brier") for held in (before, after)]
    return [title, *cells]


def _points(card: Card) -> str:
    rows = []
    for part, title in PARTS.items():
        told = card.metrics.get(part, {}).get("operating_points", {})
        named = {code: points for code, points in told.items() if code != "inside"} | told.get("inside", {})
        for name, points in named.items():
            for point, reached in points.items():
                found, spared = (figure(reached.get(key)) for key in ("sensitivity", "specificity"))
                rows.append([title, name, point, found, spared])
    thresholds = [
        [code, *(f"{point['threshold']:.3f}" for point in points.model_dump().values())]
        for code, points in (card.decisions.points.items() if card.decisions else ())
    ]
    if not rows:
        return NOT_MEASURED
    return "\n\n".join(
        [
            _table(["threshold", "screening", "balanced"], thresholds),
            _table(["films", "condition", "point", "sensitivity", "specificity"], rows),
        ]
    )


def _certainty(card: Card) -> str:
    if card.decisions is None:
        return NOT_MEASURED
    rule = card.decisions.certainty
    rows = []
    for part, title in PARTS.items():
        told = card.metrics.get(part, {}).get("certainty", {})
        if told:
            rows.append([title, *(figure(told.get(name)) for name in ("coverage", "certain", "uncertain"))])
    return (
        f"A reading is uncertain where its {rule.score} of the calibrated probabilities is below {rule.least:.3f}. "
        "Score and limit were chosen on the validation part.\n\n"
        + _table(["films", "share that is certain", "accuracy of the certain", "accuracy of the uncertain"], rows)
        + "\n\n![How often the finding is right among the surest films](images/certainty.png)"
    )


def _other(card: Card) -> str:
    lines = []
    chosen = card.metrics.get("other", {})
    if chosen:
        verdict = (
            "One of them would carry a rule; this version has none yet."
            if chosen["supported"]
            else "None carries a rule: the model knows four conditions only, and names one of them of any film."
        )
        lines.append(
            f"Scores that might tell films of none of the four from known films of one collection, as AUC. {verdict}"
        )
        lines.append(_figures(chosen["auc"]))
    told = card.metrics.get("external", {}).get("other")
    if told:
        read_as = ", ".join(f"{code} {share:.2f}" for code, share in told["read_as"].items())
        lines.append(
            f"Of {told['films']} films with something else, never trained on, it read as anything but normal "
            f"{figure(told['abnormal'])}, and called uncertain {figure(told['uncertain'])}. Read as: {read_as}."
        )
    return "\n\n".join(lines) or NOT_MEASURED


def _influence(card: Card) -> str:
    told = card.metrics.get("test", {}).get("influence")
    if not told:
        return "This network has no class map, or none was scored."
    names = {
        "pointing": "strongest place lies in the pneumothorax that radiologists outlined, or next to it",
        "random": "the same for a random point",
        "lung_centres": "the same for the middle of a lung",
        "weight_inside": "share of the map's weight in the outline",
        "area": "share of the film in the outline",
        "in_lungs": "share of the map's weight in the lungs",
        "lungs_area": "share of the film that is lung",
    }
    table = _figures({title: told[name] for name, title in names.items() if name in told})
    return f"{table}\n\n{_lungs(card)}"


def _lungs(card: Card) -> str:
    """The network that finds the lungs, and how well."""
    if card.lungs is None:
        return (
            "No network of this bundle finds the lungs, so that a reading does not say how much of its map they hold."
        )
    rows = [
        [name, f"{told['mean']:.3f}", f"{told['lowest_tenth']:.3f}", told["films"]]
        for name, told in card.lungs.dice.items()
    ]
    return (
        "Each reading with a map says what share of its weight lies in the lungs. A network of "
        f"{card.lungs.parameters} parameters finds them (`lungs.keras`, a U-Net), trained on {card.lungs.films} films "
        "of the training part whose lungs were drawn. Dice coefficient on films that it never saw; of sources, none of "
        "their films was trained on:\n\n" + _table(["films", "mean", "lowest tenth", "count"], rows)
    )


def _audited(audit: dict | None) -> str:
    """How many films were changed."""
    return f"{audit['changes']['whole']['balanced_accuracy']['films']} of the test films" if audit else "Test films"


def _audit(shown: list[dict]) -> str:
    if not shown:
        return NOT_MEASURED
    own, rows = shown[0], []
    for change, (title, meaning) in CHANGES.items():
        cells = [audit["changes"].get(change, {}).get("balanced_accuracy") for audit in shown]
        if cells[0]:
            survives = own["changes"][change]["survives"]
            rows.append([title, *map(figure, cells), "" if survives is None else f"{survives:.2f}", meaning])
    head = ["film", *(f"`{audit['name']}`" for audit in shown), "survives", "what it means"]
    guessed = [
        [f"films: {name}", f"{told['balanced_accuracy']:.3f}", f"{told['chance']:.3f}", told["sources"], told["films"]]
        for name, told in own["source_guessed"].items()
        if told
    ]
    parts = [
        _table(head, rows),
        "*Survives*: share of what the whole film is better than chance by.",
        "![Balanced accuracy after each change of the films, by model](images/audit.png)",
        "How well a linear probe guesses the source from the network's features: the nearer to chance, the less they "
        "hold of where a film comes from.",
        _table(["", "balanced accuracy", "chance", "sources", "films"], guessed),
    ]
    if own["frames"]:
        parts.append(
            "In `shenzhen` the outer frame alone can tell tuberculosis from normal. What this network makes of it, as "
            f"AUC: whole film {figure(own['frames']['whole'])}, frame "
            f"alone {figure(own['frames']['only_borders'])}, {own['frames']['whole']['films']} films."
        )
    if own.get("grafted"):
        told = own["grafted"]
        parts.append(
            "All films with pneumothorax come from one archive. Of those with it on one side, either lung was set into "
            "normal films of other collections: alike but for that lung. AUC of the affected lungs against the other "
            f"ones {figure(told['auc'])}, {told['auc']['films']} films; read as pneumothorax with the affected lung "
            f"{figure(told['seen'])}, with the other one {figure(told['archive_followed'])}."
        )
    parts.append(
        "Many films with pneumothorax show a chest drain, put in after it was found. No film here says which, so how "
        "much of the sensitivity for pneumothorax rests on drains is not known."
    )
    return "\n\n".join(parts)


def _failures(card: Card) -> str:
    lines = [*_misread(card), *_missed(card), *_unfounded(card)]
    return "\n".join(lines) or "None among the kinds of films that were measured."


def _misread(card: Card) -> list[str]:
    """Kinds of films that are read wrongly more often than one time in three."""
    lines = []
    for part, title in PARTS.items():
        for name, cell in card.metrics.get(part, {}).get("by_source", {}).items():
            if "accuracy" in cell and cell["films"] >= ENOUGH and cell["accuracy"]["value"] < FAILING:
                label, source = name.split("/", 1)
                wrong = max((code for code in CODES if code != label), key=lambda code: cell["read_as"][code])
                lines.append(
                    f"- {label} in `{source}` ({title}, {cell['films']} films): read as {label} in "
                    f"{cell['accuracy']['value']:.2f}, as {wrong} in {cell['read_as'][wrong]:.2f}."
                )
    return lines


def _missed(card: Card) -> list[str]:
    """Collections in which screening misses more films than it is meant to."""
    lines = []
    for part, title in PARTS.items():
        for name, points in card.metrics.get(part, {}).get("operating_points", {}).get("inside", {}).items():
            found = points["screening"]["sensitivity"]
            if found["films"] >= ENOUGH and found["value"] < SENSITIVITY:
                lines.append(
                    f"- Screening, {name} ({title}, {found['films']} films with it): finds {figure(found)}, less than "
                    f"the {SENSITIVITY:.2f} that it is meant to."
                )
    return lines


def _unfounded(card: Card) -> list[str]:
    """Where the reading claims more than it may: certain and wrong, or sure of films that show something else."""
    lines = []
    for part, title in PARTS.items():
        certain = card.metrics.get(part, {}).get("certainty", {}).get("certain")
        if certain and certain["value"] < ACCURACY:
            lines.append(
                f"- Films that it is certain of ({title}, {certain['films']} films): read rightly in "
                f"{figure(certain)}, less than the {ACCURACY:.2f} that the rule was chosen for."
            )
    other = card.metrics.get("external", {}).get("other")
    if other:
        lines.append(
            f"- Films with something else ({other['films']} films): read as normal in {other['read_as']['normal']:.2f}."
        )
    return lines


def _outside(card: Card) -> str:
    """What is not known of collections that were never trained on, and how often they were looked at."""
    external = card.metrics.get("external", {})
    named = {name.split("/", 1)[0] for name in external.get("by_source", {})}
    missing = [code for code in CODES if code not in named]
    lines = []
    if missing:
        lines.append(
            f"Of {' and '.join(missing)} there are no films of collections that it never saw: how well it reads these "
            "elsewhere is not known. The nearest to it are networks that were trained without one source and read its "
            "films ([experiments](EXPERIMENTS.md))."
        )
    if external.get("looks"):
        lines.append(
            f"Films of collections never trained on were read {external['looks']} times, when versions of the model "
            "were published."
        )
    return "\n\n".join(lines)


def _reproduction(card: Card) -> str:
    """The commands that made the model, and what they start from."""
    blend, scales, head, others, start = (card.training.get(step) for step in (*STEPS, "start_from"))
    seeds = (blend or {}).get("seeds", [])
    run = "RUN"
    commands = ["prepare --data FILMS", "segment", "gate"]
    if len(seeds) > 1:
        commands += [f"fit --network RECIPE.toml --seed {seed} --run RUN-{seed}" for seed in seeds]
        run = " ".join(f"RUN-{seed}" for seed in seeds)
    else:
        commands.append(f"fit --network RECIPE.toml --run {run}")
    if blend:
        starts = " ".join(f"{file}={share:g}" for file, share in blend["starts"].items())
        commands.append(f"blend --run {run} {f'--start {starts} ' if starts else ''}--out BLENDED")
        run = "BLENDED"
    if scales:
        commands.append(f"scales --run {run} --out SCALED")
        run = "SCALED"
    if head:
        commands.append(f"head --run {run} --out HEADED")
        run = "HEADED"
    if others:
        told = " ".join(f"OTHER-{number}={other['share']:g}" for number, other in enumerate(others))
        commands.append(f"ensemble --run {run} --others {told} --out ENSEMBLE")
        run = "ENSEMBLE"
    commands.append(f"evaluate --run {run}")
    commands += [f"{step} --run {run} --name {card.name}" for step in ("audit", "publish")]
    lines = ["```sh", *(f"python -m train {command}" for command in commands), "```", ""]
    lines.append(
        f"RECIPE.toml holds those fields of `training` in `models/{card.name}/{CARD}` that `train/recipe.py` knows."
    )
    if others:
        lines.append("OTHER-0 and so on were made likewise; `training.ensemble` there has their recipes and shares.")
    if start:
        lines.append(
            f"How `start_from`, `{start}`, was made: README, *Train it on your own films*; "
            f"`git log models/{card.name}` has the networks of earlier versions."
        )
    if len(set(epochs := (blend or {}).get("epochs", []))) > 1:
        lines.append(f"The runs were blended as they were after {', '.join(map(str, epochs))} epochs.")
    return "\n".join(lines)
