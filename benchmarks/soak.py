"""Half an hour under load: python -m benchmarks.soak [--quick] [--minutes 30]

Four clients send films, and now and then what is no film, each after its last answer, as long as it lasts. Looks every
few seconds at the memory of the server, and afterwards at errors and at whether answers grew slower. Writes
docs/results/bench/soak.json.
"""

import statistics
import tempfile
import time
from pathlib import Path

from benchmarks import load, machine, question
from lungcare.bundle import open_bundle
from tests import serving

CLIENTS = 4
WINDOWS = 20
NO_FILM = b"no film"
EXPECTED = (200, 415)
TARGETS = {"memory_mb": ("at most", 1500), "growth": ("at most", 0.03), "errors": ("at most", 0)}


def main() -> None:
    """Measure and write the results."""
    parser = question.parser(__doc__)
    parser.add_argument("--minutes", type=float, default=30, help="how long it lasts (default: %(default)s)")
    options = parser.parse_args()
    seconds = 20 if options.quick else 60 * options.minutes
    bundle = open_bundle(options.model)
    sent = [*load.films(), NO_FILM]
    with question.measuring("soak", options) as figures, tempfile.TemporaryDirectory() as folder:
        with serving.serving(serving.from_source(bundle.folder), Path(folder)) as server:
            load.steady(server.url, sent, CLIENTS, seconds / WINDOWS)
            used, start = machine.processor_seconds(server.pid), time.monotonic()
            remember = lambda: (time.monotonic(), machine.memory(server.pid))  # noqa: E731
            with load.repeatedly(remember, every=seconds / (6 * WINDOWS)) as memories:
                done = load.steady(server.url, sent, CLIENTS, seconds)
            cores = (machine.processor_seconds(server.pid) - used) / done.seconds
        windows = windows_of(done, memories, start)
        figures["model"], figures["minutes"], figures["clients"] = bundle.card.tag, round(seconds / 60, 1), CLIENTS
        figures["statuses"] = done.statuses
        figures["films_a_second"], figures["cores_used"] = round(done.throughput, 2), round(cores, 2)
        figures["windows"] = windows
        # The first window is left out: what is allocated once is allocated there.
        early, late = windows[1:4], windows[-3:]
        figures["targets"] = TARGETS
        figures["reached"] = {
            "memory_mb": max(window["memory_mb"] for window in windows),
            "growth": change(early, late, "memory_mb"),
            "errors": sum(answer.status not in EXPECTED for answer in done.answers),
        }
        figures["latency_drift"] = change(early, late, "p50_ms")


def windows_of(done: load.Load, memories: list[tuple[float, float]], start: float) -> list[dict]:
    """The time cut into equal windows: latencies and median memory of each that has both."""
    length = done.seconds / WINDOWS
    windows = []
    for number in range(WINDOWS):
        begin, end = start + number * length, start + (number + 1) * length
        seconds = [answer.seconds for answer in done.answers if begin <= answer.at < end and answer.status == 200]
        held = [memory for at, memory in memories if begin <= at < end]
        if seconds and held:
            minute = round((end - start) / 60, 2)
            windows.append(
                {"minute": minute, **load.milliseconds(seconds), "memory_mb": round(statistics.median(held), 1)}
            )
    return windows


def change(early: list[dict], late: list[dict], field: str) -> float:
    """By what share the median of a field is higher late than early."""
    before, after = (statistics.median(window[field] for window in each) for each in (early, late))
    return round(after / before - 1, 4)


if __name__ == "__main__":
    main()
