"""`python -m train leave-out SOURCE…`: a run without some sources, scored on them, as a new hospital would score it."""

import json
from pathlib import Path

from train.document import write_experiments
from train.feed import training_films
from train.fit import HISTORY, NETWORK, RUN, fit
from train.head import refit
from train.look import look
from train.measure import by_source, inside
from train.prepare import open_prepared
from train.recipe import Recipe

DOCS = Path(__file__).resolve().parent.parent / "docs"


def leave_out(
    recipe: Recipe, sources: tuple[str, ...], prepared: Path, run: Path, docs: Path = DOCS, head: bool = False
) -> dict:
    """Train without `sources`, and without films of other sources in a group with theirs; score on all their films.

    head: whether to make the last layer anew, in the run <run>-head. An interrupted run goes on.
    Writes docs/results/leave-out-<run>.json, returns what it says, and docs/EXPERIMENTS.md.
    """
    recipe = recipe.model_copy(update={"leave_out": sources})
    fit(recipe, prepared, run, resume=True)
    if head:
        own, run = run, run.with_name(f"{run.name}-head")
        refit(own, prepared, run)
    split, data = open_prepared(prepared)
    films = [p for p in split.films if p.film.source in sources and p.film.role == "internal"]
    readings = look(run / NETWORK, recipe.size, data, films).readings()
    kept = training_films(split, sources)
    result = {
        "left_out": list(sources),
        "recipe": recipe.model_dump(mode="json"),
        "head": json.loads((run / RUN).read_text()).get("head"),
        "epochs": len((run / HISTORY).read_text().splitlines()) - 1,
        "training_films": len(kept),
        "left_out_beside": sum(p.part == "train" and p.film.source not in sources for p in split.films) - len(kept),
        "by_source": by_source(readings),
        "inside": inside(readings),
    }
    results = docs / "results"
    results.mkdir(parents=True, exist_ok=True)
    (results / f"leave-out-{run.name}.json").write_text(json.dumps(result, indent=1) + "\n")
    write_experiments(results, docs / "EXPERIMENTS.md")
    return result
