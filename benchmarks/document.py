"""docs/BENCHMARKS.md and its pictures, from the results: python -m benchmarks.document [--from FOLDER] [--to FOLDER]"""

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks import pictures
from benchmarks.question import QUIET, RESULTS, ROOT

DOCS = ROOT / "docs"
HEAD = """# Benchmarks

`make bench` measures all of this but the *Others* on a quiet machine and writes this page; each part is a command of
its own, named with its result. Ratios are of things measured in turns, in one run. Nothing here is typed by hand.
"""
TITLES = {
    "serving": "Ours beside the thesis's way to serve",
    "layers": "What each layer adds",
    "reading": "A reading beside its network",
    "batch": "A folder on all cores",
    "start": "From start to ready",
    "overload": "Three times what it can do",
    "soak": "For a long time",
    "faults": "Faults",
}
FIGURES = {
    "same_throughput_16": "films a second at 16 clients, same network: times the thesis's",
    "same_p50_1": "median at 1 client, same network: the thesis's, times ours",
    "reader_throughput_16": "films a second at 16 clients, the reader: times the thesis's",
    "memory_mb": "memory of the server's processes, MB",
    "http_to_reading": "a film over HTTP, times a reading",
    "whole": "a whole reading (decode, gate, network), times its network",
    "with_map": "a whole reading with its map",
    "whole_large": "a whole reading of a JPEG of 2,000 pixels",
    "with_map_large": "a whole reading of such a film with its map",
    "share_of_ideal": "films a second on all cores, of cores times one core",
    "cold": "ready, times the imports: cold",
    "warm": "ready, times the imports: warm",
    "growth": "growth of memory, from the first windows to the last",
    "errors": "answers that are neither a reading nor the refusal of what is no film",
    "recovered_seconds": "seconds until a film is answered as quickly as before",
    "slowest_read_seconds": "seconds of the slowest film that was read",
    "lost": "requests that ended neither in a reading nor in 429 or 503",
    "livez_not_answered": "times that /livez did not answer",
    "back_to_start": "films are read again after a kill: times the whole start",
    "not_held": "faults that went otherwise than they have to",
}
OTHERS = """## Others

| Question | Command | Result |
|---|---|---|
| the page: first view, and from film to reading | `python -m benchmarks.page` | `page-lungcare.json` |
| the decoder at its worst | `python -m benchmarks.costs` | `costs.json` |
| the network on each device beside the processor | `python -m benchmarks.device` | [none](../deploy/GPU.md) |
| training steps lost to reading and augmenting | `python -m benchmarks.feed` | `feed-thesis-cnn4.json` |
"""


def main() -> None:
    """Write the page and its pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--from", dest="results", type=Path, default=RESULTS, help="folder of results")
    parser.add_argument("--to", type=Path, default=DOCS, help="folder of the page (default: docs)")
    options = parser.parse_args()
    write(options.results, options.to)


def write(results: Path, docs: Path) -> None:
    """Write BENCHMARKS.md and its pictures into a folder, from a folder of results; what is missing is said."""
    images = docs / "images" / "bench"
    images.mkdir(parents=True, exist_ok=True)
    parts = [HEAD]
    for name, title in TITLES.items():
        path = results / f"{name}.json"
        if not path.exists():
            parts.append(f"## {title}\n\nNot measured yet: `python -m benchmarks.{name}`.\n")
            continue
        result = json.loads(path.read_text(encoding="utf-8"))
        picture = []
        if name in pictures.PICTURES:
            pictures.draw(name, result, images / f"{name}.svg")
            picture = [f"![{title}](images/bench/{name}.svg)\n", BOUNDS[name](result) + "\n"]
        parts += [f"## {title}\n", *picture, _told(name, result), _measured(result)]
    (docs / "BENCHMARKS.md").write_text("\n".join([*parts, OTHERS]), encoding="utf-8")


def _told(name: str, result: dict) -> str:
    """What was wanted and what was reached; of the faults, what was seen."""
    rows = ["| | wanted | measured | |", "|---|---|---|---|"]
    for figure, reached in result["reached"].items():
        bound, wanted = result["targets"].get(figure, ("", ""))
        verdict = "" if not bound else "reached" if _is_reached(bound, wanted, reached) else "**not reached**"
        rows.append(f"| {FIGURES[figure]} | {bound} {wanted} | {reached} | {verdict} |")
    if name == "faults":
        rows += ["", "| Fault | What was seen | |", "|---|---|---|"]
        for fault, outcome in result["faults"].items():
            told = " ".join(outcome["told"].split()).replace("|", "\\|")
            rows.append(f"| {fault} | {told} | {'held' if outcome['held'] else '**not held**'} |")
    if name == "serving":
        rows += ["", *_servers(result)]
    return "\n".join(rows) + "\n"


def _servers(result: dict) -> Iterator[str]:
    """The table of the three servers."""
    yield "| Server | clients | films a second | p50, ms | p99, ms | cores used | memory, MB | not read |"
    yield "|---|---|---|---|---|---|---|---|"
    for name, label in pictures.SERVERS.items():
        for count, own in result["servers"][name].items():
            figures = ("films_a_second", "p50_ms", "p99_ms", "cores", "memory_mb", "not_read")
            yield f"| {label} | {count} | {' | '.join(str(own[figure]) for figure in figures)} |"


def _is_reached(bound: str, wanted: float, reached: float) -> bool:
    return reached >= wanted if bound == "at least" else reached <= wanted


def _measured(result: dict) -> str:
    """Where, when and how it was measured."""
    machine = result["machine"]
    quiet = "quiet" if result["is_quiet"] else f"**not quiet, so that this is worth little (limit {QUIET:.0%})**"
    packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    models = " and ".join(f"`{tag}`" for tag in result.get("models", {"": result.get("model")}).values())
    return (
        f"{models}, by `{result['command']}`, {result['date']}, {result['took_seconds']} s, on {machine['processor']}, "
        f"{machine['cores']} cores, {machine['memory_gb']} GB, Python {machine['python']}, {packages}. "
        f"Others used {result['busy_before']:.0%} of the cores before it began: {quiet}.\n"
    )


# ---- one sentence under each picture: what bounds it now


def _serving(result: dict) -> str:
    cores, busy = result["machine"]["cores"], result["servers"]["reader"]["16"]
    used = busy["cores"] + busy["client_cores"]
    return (
        f"With 16 clients the reader's server uses {busy['cores']} and the clients {busy['client_cores']} "
        f"of {cores} cores: {_bound(used, cores)}."
    )


def _bound(used: float, cores: int) -> str:
    return "the processor bounds it" if used >= 0.85 * cores else "it waits for something else than the processor"


def _layers(result: dict) -> str:
    whole = result["layers"]["reading"]["p50_ms"]
    stage, longest = max(result["stages_ms"].items(), key=lambda item: item[1])
    return (
        f"The longest stage of a reading ({whole} ms) is {stage} with {longest} ms on average; what HTTP adds is its "
        f"form, its answer and the way between two processes. OpenVINO, which serves on a processor, takes "
        f"{result['layers']['network']['p50_ms']} ms for the network on one core, TensorFlow "
        f"{result['layers']['network_in_tensorflow']['p50_ms']} ms on all of them; their probabilities differ by "
        f"{result['largest_difference']:.1g} at most."
    )


def _reading(result: dict) -> str:
    small, large = result["as_they_are"], result["enlarged"]
    return (
        f"The network takes {small['network_ms']} ms of {small['whole_ms']} ms, and of {large['whole_ms']} ms where a "
        f"large film is decoded ({result['films_are']} films)."
    )


def _batch(result: dict) -> str:
    used, cores = result["turns"]["all"]["cores_used"], result["cores"]
    return f"On all cores it keeps {used} of {cores} busy: {_bound(used, cores)} ({result['films_are']} films)."


def _start(result: dict) -> str:
    warm = result["starts"]["warm"]
    rest = warm["ready_seconds"] - warm["imports_seconds"]
    return (
        f"Beside the imports a warm start takes {rest:.1f} s, in which BentoML starts its processes, three networks "
        "are loaded and compiled, and the examples are read to check them."
    )


def _soak(result: dict) -> str:
    cores, used = result["machine"]["cores"], result["cores_used"]
    return (
        f"{result['films_a_second']} films a second for {result['minutes']} minutes with {result['clients']} clients, "
        f"for which the server uses {used} of {cores} cores: {_bound(used, cores)}. The median of answers moved by "
        f"{result['latency_drift']:+.1%}."
    )


def _overload(result: dict) -> str:
    wait = result["places"] / result["capacity"]
    return (
        f"{result['places']} places bound it: who gets one waits for those before, about {wait:.1f} s at "
        f"{result['capacity']} films a second; who gets none is told so at once."
    )


BOUNDS: dict[str, Callable[[dict], str]] = {
    "serving": _serving,
    "layers": _layers,
    "reading": _reading,
    "batch": _batch,
    "start": _start,
    "soak": _soak,
    "overload": _overload,
}


if __name__ == "__main__":
    main()
