"""`python -m train ensemble`: networks that were trained apart, side by side in one; `apart`: each of them again."""

import math
from collections.abc import Sequence
from pathlib import Path

from lungcare.network import load_network
from train.evaluate import check_step, opened, steps_of
from train.fit import NETWORK, save_made
from train.manifest import DataError
from train.networks import apart, side_by_side


def ensemble(run: Path, others: Sequence[tuple[Path, float]], out: Path) -> None:
    """Make the run `out`: the network of `run` and those of the `others` side by side, which see the same film.

    Networks that began apart err apart, on films unlike those of their training above all (deep ensembles:
    Lakshminarayanan et al., NeurIPS 2017; elsewhere: Ovadia et al., NeurIPS 2019). others: runs, and how much each adds
    to the logits, above 0, together below 1. out/run.json names them, and is else that of `run`.
    Raises DataError when the shares are others, or when a run is no reader's, is an ensemble, takes films of another
    size, was trained on another split or may have seen what `run` left out.
    """
    shares = [1 - math.fsum(share for _, share in others), *(share for _, share in others)]
    if not (others and all(share > 0 for share in shares)):
        told = ", ".join(f"{other}={share}" for other, share in others)
        raise DataError(f"The shares of the others must be above 0, and together below 1. Received: {told}.")
    runs = [run, *(other for other, _ in others)]
    recipes, splits = zip(*map(opened, runs), strict=True)
    for each, recipe, split in zip(runs, recipes, splits, strict=True):
        check_step("ensemble", each)
        if recipe.network != "reader":
            raise DataError(f"{each} is no run of a reader.")
        if (recipe.size, split) != (recipes[0].size, splits[0]):
            raise DataError(f"{each} takes films of another size than {run}, or was trained on another split.")
        if not set(recipes[0].leave_out) <= set(recipe.leave_out):
            raise DataError(f"{each} may have been trained on {', '.join(recipes[0].leave_out)}.")
    networks = [load_network(each / NETWORK) for each in runs]
    told = [
        {"run": str(other), "share": share, "recipe": recipe.model_dump(mode="json")} | steps_of(other)
        for (other, share), recipe in zip(others, recipes[1:], strict=True)
    ]
    save_made(side_by_side(networks, shares), run, out, ensemble=told)


def take_apart(network_file: Path, out: Path) -> list[Path]:
    """Save each network of an ensemble, a published one say, as out/0.keras and so on, to go on from.

    Raises DataError when there is no such file, or when it holds one network alone; BundleError when it is damaged.
    """
    if not network_file.is_file():
        raise DataError(f"There is no network {network_file}.")
    networks = apart(load_network(network_file))
    if len(networks) == 1:
        raise DataError(f"{network_file} is no ensemble: there is one network in it, to go on from as it is.")
    out.mkdir(parents=True, exist_ok=True)
    files = [out / f"{number}.keras" for number in range(len(networks))]
    for network, file in zip(networks, files, strict=True):
        network.save(file)
    return files
