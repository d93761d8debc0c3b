"""The training commands, from films to a published bundle."""

import argparse
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from lungcare.bundle import BundleError
from train.manifest import DataError

if TYPE_CHECKING:
    from train.recipe import Recipe

DATA = Path("runs/data")
THESIS = Path("runs/thesis-cnn4")
LUNGS = Path("runs/lungs")
GATE = Path("runs/gate")
DRAWN = Path("runs/synthesis")
POOL = Path("examples")


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns its exit status."""
    options = _parser().parse_args(arguments)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if os.environ.get("KERAS_BACKEND", "openvino") == "openvino":  # which trains nothing
        os.environ["KERAS_BACKEND"] = "tensorflow"
    # By itself TensorFlow uses these kernels on the newest processors only.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    try:
        options.command(options)
    except (DataError, BundleError) as error:
        print(f"train: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("train: interrupted. `fit --resume` goes on after the last whole epoch.", file=sys.stderr)
        return 130
    return 0


def _prepare(options: argparse.Namespace) -> None:
    from train.prepare import prepare
    from train.split import write

    split = prepare(options.data, options.out, options.size, options.seed, options.per_class, options.resplit)
    if options.record:
        write(split, options.record)
    print(split.table())
    print(f"split {split.checksum}")


def _fit(options: argparse.Namespace) -> None:
    from train.fit import fit

    fit(_recipe(options), options.data, options.run or Path("runs") / Path(options.network).stem, options.resume)


def _leave_out(options: argparse.Namespace) -> None:
    from train.leave_out import leave_out

    name = "-".join([Path(options.network).stem, "without", *options.sources])
    run = options.run or Path("runs") / name
    _print_left_out(leave_out(_recipe(options), tuple(options.sources), options.data, run, head=options.head))


def _score(options: argparse.Namespace) -> None:
    from train.leave_out import score

    _print_left_out(score(options.run, options.data))


def _print_left_out(result: dict) -> None:
    from train.evaluate import pair_lines, source_lines

    print(f"{result['training_films']} training films; {result['left_out_beside']} more left out as near-alike")
    print("\n".join([*source_lines(result["by_source"]), *pair_lines(result["inside"])]))


def _recipe(options: argparse.Namespace) -> "Recipe":
    from train.recipe import read_recipe

    named = ("batch", "epochs", "steps", "blocks", "copies", "seed", "rate", "priors", "start_from")
    changes = {name: value for name in named if (value := getattr(options, name)) is not None}
    if options.size:
        changes["sizes"] = [[0, options.size]]
    return read_recipe(options.network, **changes)


def _evaluate(options: argparse.Namespace) -> None:
    from train.evaluate import as_text, evaluate

    print(as_text(evaluate(options.run, options.data, options.lungs)))


def _audit(options: argparse.Namespace) -> None:
    from train.audit import as_text, audit

    print(as_text(audit(options.run, options.data, options.name or options.run.name, options.lungs)))


def _publish(options: argparse.Namespace) -> None:
    from train.publish import publish

    name = options.name or options.run.name
    bundle = publish(options.run, options.data, name, options.version, gate_run=options.gate, lungs_run=options.lungs)
    print(f"{bundle.card.tag} is published in {bundle.folder} and in the model store.")


def _quality(options: argparse.Namespace) -> None:
    from train.quality import as_text, measure

    print(as_text(measure(options.data)))


def _gate(options: argparse.Namespace) -> None:
    from train.gate import train_gate
    from train.gate_page import as_text, write_gate

    card = train_gate(options.data, options.run)
    if options.record:
        write_gate(card, options.record)
    print(as_text(card))


def _segment(options: argparse.Namespace) -> None:
    from train.segment import segment

    told = segment(options.data, options.run, options.epochs)
    for name, dice in told["dice"].items():
        print(f"Dice, {name}: {dice['mean']:.3f}, lowest tenth {dice['lowest_tenth']:.3f}, {dice['films']} films")


def _synthesize(options: argparse.Namespace) -> None:
    from train.synthesize import synthesize

    told = synthesize(options.data, options.run, options.model, options.out, options.unselected, options.seed)
    for code, own in told.items():
        print(
            f"{code:<14}{own.drawn:>4} drawn, {own.accepted:>4} accepted by the gate, {own.read_as:>4} read as {code}"
        )


def _likeness(options: argparse.Namespace) -> None:
    from train.likeness import as_text, likeness

    print(as_text(likeness(options.data, options.run, options.pool, options.model, options.films, options.record)))


def _fidelity(options: argparse.Namespace) -> None:
    from train.fidelity import as_text, fidelity
    from train.recipe import read_recipe

    recipe = read_recipe(options.network)
    films = (options.unselected, options.each)
    told = fidelity(options.data, options.run, options.model, options.pool, *films, recipe, options.record)
    print(as_text(told))


def _head(options: argparse.Namespace) -> None:
    from train.head import refit

    refit(options.run, options.data, options.out)


def _share(text: str) -> tuple[Path, float]:
    path, _, share = text.rpartition("=")
    try:
        return Path(path), float(share)
    except ValueError:
        raise argparse.ArgumentTypeError(f"a share is missing, as in {path or text}=0.5") from None


def _blend(options: argparse.Namespace) -> None:
    from train.blend import blend

    blend(options.run, options.data, options.out, options.start)


def _ensemble(options: argparse.Namespace) -> None:
    from train.ensemble import ensemble

    ensemble(options.run, options.others, options.out)


def _apart(options: argparse.Namespace) -> None:
    from train.ensemble import take_apart

    print("\n".join(map(str, take_apart(options.network, options.out))))


def _scales(options: argparse.Namespace) -> None:
    from train.scales import scale

    scale(options.run, options.out)


def _compare(options: argparse.Namespace) -> None:
    from train.compare import compare

    compare(options.runs, options.data)


def _experiments(options: argparse.Namespace) -> None:
    from train.experiments import beside, experiments

    if options.table == "beside":
        beside(options.data)
    else:
        experiments(options.table, options.data, options.runs, options.seeds, options.views, options.epochs)


def _add_recipe(parser: argparse.ArgumentParser) -> None:
    """The options that name a run and its recipe."""
    parser.add_argument("--network", default="thesis-cnn4", help="recipe: a name in train/recipes or a .toml file")
    parser.add_argument("--run", type=Path, help="folder of this run; without it, one named after the recipe")
    parser.add_argument("--size", type=int, help="side of the input in px")
    parser.add_argument("--batch", type=int)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--steps", type=int, help="batches an epoch; without it, one pass over the films")
    parser.add_argument("--blocks", type=int, choices=range(1, 6), help="blocks of the thesis's network")
    parser.add_argument("--copies", type=int, help="fixed augmented copies of each film (the thesis: 6)")
    parser.add_argument("--rate", type=float, help="learning rate")
    parser.add_argument("--priors", type=float, help="how far it is told what a film's source says of its class")
    parser.add_argument("--start-from", help="network (.keras) to go on from; of an ensemble the first")
    parser.add_argument("--seed", type=int)


def _add_name(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--name", help="name of the bundle, as in models/<name>; without it, that of the run's folder")


def _add_lungs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--lungs", type=Path, default=LUNGS, help="run of the segmenter; without it, the published one")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m train", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")

    def add(
        name: str, command: Callable[[argparse.Namespace], None], about: str, run: Path | None = None
    ) -> argparse.ArgumentParser:
        """A command on prepared films; run: its folder where none is given, None where it has no such option."""
        added = commands.add_parser(name, help=about)
        added.add_argument("--data", type=Path, default=DATA, help="prepared films (default: %(default)s)")
        if run:
            added.add_argument("--run", type=Path, default=run, help="folder of the run (default: %(default)s)")
        added.set_defaults(command=command)
        return added

    prepare = commands.add_parser("prepare", help="check, group, split and pack films")
    prepare.add_argument("--data", type=Path, required=True, help="folder with manifest.csv, or a tree class/image")
    prepare.add_argument("--out", type=Path, default=DATA, help="where the prepared films go (default: %(default)s)")
    prepare.add_argument(
        "--size", type=int, default=256, help="side of the packed squares in px (default: %(default)s)"
    )
    prepare.add_argument("--per-class", type=int, help="keep at most so many films of each class (the thesis: 2500)")
    prepare.add_argument("--resplit", action="store_true", help="draw all parts anew, whatever the data give")
    prepare.add_argument("--record", type=Path, help="write the split here, too (.csv.gz), to be committed")
    prepare.add_argument("--seed", type=int, default=0)
    prepare.set_defaults(command=_prepare)

    fit = add("fit", _fit, "train a network")
    fit.add_argument("--resume", action="store_true", help="go on with a run that was interrupted")
    _add_recipe(fit)

    leave_out = add("leave-out", _leave_out, "train without some sources and score on them")
    leave_out.add_argument("sources", nargs="+", metavar="SOURCE")
    leave_out.add_argument("--head", action="store_true", help="make the last layer anew, as `head` does")
    _add_recipe(leave_out)

    score = add("score", _score, "score a run, blended perhaps, on the sources that it was trained without")
    score.add_argument("--run", type=Path, required=True)

    _add_lungs(add("evaluate", _evaluate, "measure the network of a run", THESIS))

    audit = add("audit", _audit, "say what shortcuts the network of a measured run takes", THESIS)
    _add_name(audit)
    _add_lungs(audit)

    publish = add("publish", _publish, "make the bundle, put it into the model store, write the figures", THESIS)
    publish.add_argument("--version", help="x.y.z; without it, the next one when anything changed")
    publish.add_argument("--gate", type=Path, default=GATE, help="run of the gate; without it, the published one")
    _add_name(publish)
    _add_lungs(publish)

    gate = add("gate", _gate, "train what tells frontal chest films from all else, and measure it", GATE)
    gate.add_argument("--record", type=Path, help="write the figures into this folder of documents, such as docs")

    segment = add("segment", _segment, "train the small network that finds the lungs, and measure it", LUNGS)
    segment.add_argument("--epochs", type=int, default=80, help="passes over the films (default: %(default)s)")

    synthesize = add("synthesize", _synthesize, "draw films of no patient, and make the pool of examples", DRAWN)
    synthesize.add_argument("--model", default="lungcare", help="bundle that judges the films (default: %(default)s)")
    synthesize.add_argument("--out", type=Path, default=POOL, help="the pool (default: %(default)s)")
    synthesize.add_argument("--unselected", type=int, default=64, help="films of each class (default: %(default)s)")
    synthesize.add_argument("--seed", type=int, default=0)

    likeness = add("likeness", _likeness, "say how near the drawn films come to training films", DRAWN)
    likeness.add_argument("--model", default="lungcare", help="bundle whose features count (default: %(default)s)")
    likeness.add_argument("--pool", type=Path, default=POOL, help="the drawn films (default: %(default)s)")
    likeness.add_argument(
        "--films", type=int, default=550, help="training films of each class to look at; 0: none (default: %(default)s)"
    )
    likeness.add_argument("--record", type=Path, help="write the figures into this folder, such as docs/results")

    fidelity = add("fidelity", _fidelity, "say how films are read that were drawn, and by what learned of them", DRAWN)
    fidelity.add_argument("--model", default="lungcare", help="bundle that judges the films (default: %(default)s)")
    fidelity.add_argument("--pool", type=Path, default=POOL, help="the drawn films (default: %(default)s)")
    fidelity.add_argument(
        "--unselected", type=int, default=64, help="films of each class to judge (default: %(default)s)"
    )
    fidelity.add_argument(
        "--each", type=int, default=400, help="films of each class to train on; 0: train none (default: %(default)s)"
    )
    fidelity.add_argument(
        "--network", default="drawn", help="recipe: a name in train/recipes or a .toml file (default: %(default)s)"
    )
    fidelity.add_argument("--record", type=Path, help="write the figures into this folder, such as docs/results")

    head = add("head", _head, "make the last layer of a run's network anew, all sources alike")
    head.add_argument("--run", type=Path, required=True)
    head.add_argument("--out", type=Path, required=True, help="folder of the new run")

    blend = add("blend", _blend, "average the weights of runs, and of what they went on from")
    blend.add_argument("--run", type=Path, required=True, nargs="+", help="one or several, of one recipe but the seed")
    blend.add_argument(
        "--start",
        type=_share,
        nargs="+",
        default=[],
        metavar="FILE=SHARE",
        help="networks (.keras) that they went on from, or that those did, each with its share of the weights",
    )
    blend.add_argument("--out", type=Path, required=True, help="folder of the new run")

    ensemble = commands.add_parser("ensemble", help="set networks of runs side by side that began apart")
    ensemble.add_argument("--run", type=Path, required=True)
    ensemble.add_argument(
        "--others",
        type=_share,
        nargs="+",
        required=True,
        metavar="RUN=SHARE",
        help="the other runs, and how much each adds to the logits",
    )
    ensemble.add_argument("--out", type=Path, required=True, help="folder of the new run")
    ensemble.set_defaults(command=_ensemble)

    apart = commands.add_parser("apart", help="save each network of an ensemble, to go on from")
    apart.add_argument("--network", type=Path, required=True, help="the ensemble (.keras), a published one say")
    apart.add_argument("--out", type=Path, required=True, help="folder of the networks")
    apart.set_defaults(command=_apart)

    scales = commands.add_parser("scales", help="have a run's network look at each film larger and smaller")
    scales.add_argument("--run", type=Path, required=True)
    scales.add_argument("--out", type=Path, required=True, help="folder of the new run")
    scales.set_defaults(command=_scales)

    compare = add("compare", _compare, "judge the networks of runs on the validation part, to choose one")
    compare.add_argument("runs", nargs="+", type=Path, metavar="RUN")

    experiments = add("experiments", _experiments, "run a table of the thesis again, cell by cell")
    experiments.set_defaults(data=Path("runs/balanced"))
    experiments.add_argument("table", choices=("depth", "tuning", "doubts", "beside"))
    experiments.add_argument(
        "--runs", type=Path, default=Path("runs/experiments"), help="where the cells' runs lie (default: %(default)s)"
    )
    experiments.add_argument("--seeds", type=int, default=1, help="seeds of each cell (default: %(default)s)")
    experiments.add_argument("--views", type=int, default=2048, help="films an epoch (default: %(default)s)")
    experiments.add_argument("--epochs", type=int, default=8, help="epochs of each cell (default: %(default)s)")

    quality = commands.add_parser("quality", help="say how many real films the rules of quality would refuse")
    quality.add_argument("data", type=Path, metavar="DATA", help="the films of train/split.csv.gz, with manifest.csv")
    quality.set_defaults(command=_quality)
    return parser


if __name__ == "__main__":
    sys.exit(main())
