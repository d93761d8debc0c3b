"""`python -m train leave-out SOURCE…`: a run without some sources, scored on them, as a new hospital would score it."""

import json
from pathlib import Path

from train.document import write_experiments
from train.evaluate import opened_on, steps_of
from train.feed import training_films
from train.fit import HISTORY, NETWORK, RUN, fit
from train.head import refit
from train.look import look
from train.manifest import DataError
from train.measure import by_source, inside
from train.pack import open_pack
from train.prepare import open_prepared
from train.recipe import Recipe

DOCS = Path(__file__).resolve().parent.parent / "docs"


def leave_out(
    recipe: Recipe, sources: tuple[str, ...], prepared: Path, run: Path, docs: Path = DOCS, head: bool = False
) -> dict:
    """Train without `sources`, and without films of other sources in a group with theirs; score on all their films.

    head: whether to make the last layer anew, in the run <run>-head. An interrupted run goes on. Returns as `score`.
    """
    known = {p.film.source for p in open_prepared(prepared)[0].films if p.film.role == "internal"}
    if unknown := set(sources) - known:
        raise DataError(f"No film to train on is of {', '.join(sorted(unknown))}. Known: {', '.join(sorted(known))}.")
    recipe = recipe.model_copy(update={"leave_out": sources})
    fit(recipe, prepared, run, resume=True)
    if head:
        own, run = run, run.with_name(f"{run.name}-head")
        refit(own, prepared, run)
    return score(run, prepared, docs)


def score(run: Path, prepared: Path, docs: Path = DOCS) -> dict:
    """Score the network of a run on all films of the sources that it was trained without.

    Writes docs/results/leave-out-<run>.json, returns what it says, and docs/EXPERIMENTS.md.
    Raises DataError when the run was trained on all sources.
    """
    recipe, split, data = opened_on(run, prepared)
    if not recipe.leave_out:
        raise DataError(f"{run} was trained on all sources. `python -m train evaluate` measures it.")
    films = [p for p in split.films if p.film.source in recipe.leave_out and p.film.role == "internal"]
    readings = look(run / NETWORK, recipe.size, data, films).readings()
    kept = training_films(split, recipe.leave_out)
    result = {
        "left_out": list(recipe.leave_out),
        "recipe": recipe.model_dump(mode="json"),
        "commit": json.loads((run / RUN).read_text())["commit"],
        **steps_of(run),
        "epochs": len((run / HISTORY).read_text().splitlines()) - 1,
        "packed": open_pack(prepared)[0].shape[1],
        "training_films": len(kept),
        "left_out_beside": sum(p.part == "train" and p.film.source not in recipe.leave_out for p in split.films)
        - len(kept),
        "by_source": by_source(readings),
        "inside": inside(readings),
    }
    results = docs / "results"
    results.mkdir(parents=True, exist_ok=True)
    (results / f"leave-out-{run.name}.json").write_text(json.dumps(result, indent=1) + "\n")
    write_experiments(results, docs / "EXPERIMENTS.md")
    return result
