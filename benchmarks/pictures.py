"""Pictures of what was measured, one for each question: its result, as its module wrote it -> a drawing."""

from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

matplotlib.rcParams.update({"svg.hashsalt": "lungcare", "font.size": 9, "axes.spines.top": False})
OURS, THEIRS, SHADE = "#1f6f8b", "#b5651d", "#9fb8c3"
SERVERS = {"thesis": "the thesis's", "same": "ours, same network", "reader": "ours, reader"}
LAYERS = {"http": "HTTP", "reading": "reading", "network": "network", "network_in_tensorflow": "network, TensorFlow"}


def draw(name: str, result: dict, path: Path) -> None:
    """Draw a question's result into an SVG file, which is the same for the same result."""
    figure = Figure(figsize=(7.2, 2.6), layout="constrained")
    PICTURES[name](figure, result)
    figure.savefig(path, metadata={"Date": None})


def _serving(figure: Figure, result: dict) -> None:
    left, right = figure.subplots(1, 2)
    for axes, field, title in ((left, "films_a_second", "films a second"), (right, "p50_ms", "median, ms (line: p99)")):
        for number, (name, label) in enumerate(SERVERS.items()):
            own = result["servers"][name]
            places = [at + 0.27 * (number - 1) for at in range(len(own))]
            colour = (THEIRS, SHADE, OURS)[number]
            bars = axes.bar(places, [each[field] for each in own.values()], 0.25, color=colour, label=label)
            axes.bar_label(bars, fmt="%.4g", fontsize=7)
            if field == "p50_ms":
                axes.vlines(places, *zip(*[(each["p50_ms"], each["p99_ms"]) for each in own.values()], strict=True))
        axes.set_xticks(range(len(own)), [_clients(count) for count in own])
        axes.set_title(title, fontsize=9)
    left.legend(fontsize=7)


def _layers(figure: Figure, result: dict) -> None:
    left, right = figure.subplots(1, 2)
    _bars_across(left, list(LAYERS.values()), [result["layers"][name]["p50_ms"] for name in LAYERS])
    left.set_title("median of one film, ms", fontsize=9)
    stages = result["stages_ms"]
    _bars_across(right, list(stages), list(stages.values()))
    right.set_title("stages of a reading, ms", fontsize=9)


def _reading(figure: Figure, result: dict) -> None:
    labels = {"network_ms": "network", "whole_ms": "reading", "with_map_ms": "with its map"}
    parts = (("as_they_are", "films as they are, ms"), ("enlarged", "JPEG of 2,000 px, ms"))
    for axes, (part, title) in zip(figure.subplots(1, 2), parts, strict=True):
        _bars_across(axes, list(labels.values()), [result[part][name] for name in labels])
        axes.set_title(title, fontsize=9)


def _batch(figure: Figure, result: dict) -> None:
    axes = figure.subplots()
    one, every = (result["turns"][turn]["films_a_second"] for turn in ("one", "all"))
    count = result["cores"]
    _bars_across(axes, ["one core", f"{count} times one core", f"{count} cores"], [one, count * one, every])
    axes.set_title("films a second", fontsize=9)


def _start(figure: Figure, result: dict) -> None:
    axes = figure.subplots()
    kinds = {"imports_seconds": "import of TensorFlow and Gradio", "ready_seconds": "start to ready"}
    labels = [f"{label}, {kind}" for kind in result["starts"] for label in kinds.values()]
    _bars_across(axes, labels, [own[field] for own in result["starts"].values() for field in kinds])
    axes.set_title("seconds", fontsize=9)


def _soak(figure: Figure, result: dict) -> None:
    left, right = figure.subplots(1, 2)
    minutes = [window["minute"] for window in result["windows"]]
    memories = [window["memory_mb"] for window in result["windows"]]
    left.plot(minutes, memories, color=OURS)
    left.set_ylim(0, 1.2 * max(memories))
    left.set_title("memory, MB", fontsize=9)
    for field, colour in (("p50_ms", OURS), ("p99_ms", THEIRS)):
        right.plot(minutes, [window[field] for window in result["windows"]], color=colour, label=field[:3])
    right.set_ylim(bottom=0)
    right.set_title("latency, ms", fontsize=9)
    right.legend(fontsize=7)
    for axes in (left, right):
        axes.set_xlabel("minutes")


def _overload(figure: Figure, result: dict) -> None:
    left, right = figure.subplots(1, 2)
    shed = result["sent_a_second"] - result["statuses"].get("200", 0) / result["seconds"]
    figures = [result["capacity"], result["sent_a_second"], result["read"]["films_a_second"], shed]
    _bars_across(left, ["capacity", "sent", "read", "not read"], figures)
    left.set_title("a second", fontsize=9)
    kinds = {"one client, before": result["before"], "read": result["read"], "/livez": result["livez"]}
    _bars_across(right, list(kinds), [own["p50_ms"] or 0 for own in kinds.values()])
    right.set_title("median, ms", fontsize=9)


def _bars_across(axes: Axes, labels: Sequence[str], lengths: Sequence[float]) -> None:
    bars = axes.barh(labels, lengths, color=OURS, height=0.6)
    axes.bar_label(bars, fmt=" %.4g", fontsize=8)
    axes.invert_yaxis()
    axes.margins(x=0.15)


def _clients(count: str) -> str:
    return "1 client" if count == "1" else f"{count} clients"


PICTURES: dict[str, Callable[[Figure, dict], None]] = {
    "serving": _serving,
    "layers": _layers,
    "reading": _reading,
    "batch": _batch,
    "start": _start,
    "soak": _soak,
    "overload": _overload,
}
