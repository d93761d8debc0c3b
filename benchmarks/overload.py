"""Three times what it can do: python -m benchmarks.overload [--quick] [--seconds 20]

First measures the films a second that the server reads for as many clients as keep it busy. Then three times as many
come, whether earlier ones were answered or not, while /livez is asked four times a second; and then films one by one,
until one is answered as quickly as before. Writes docs/results/bench/overload.json.
"""

import tempfile
import time
from pathlib import Path

from benchmarks import load, machine, question
from lungcare.bundle import open_bundle
from lungcare.settings import Settings
from tests import serving

TIMES = 3
CLIENTS = 8
SHED = ("429", "503")
# An answer that takes no longer than so many times an answer before counts as one of a server that has recovered.
AS_BEFORE = 2
PATIENCE_SECONDS = 60
TARGETS = {
    "recovered_seconds": ("at most", 5),
    "slowest_read_seconds": ("at most", Settings.model_fields["timeout"].default),
    "livez_not_answered": ("at most", 0),
    "lost": ("at most", 0),
}


def main() -> None:
    """Measure and write the results."""
    parser = question.parser(__doc__)
    parser.add_argument("--seconds", type=float, default=20, help="of overload (default: %(default)s)")
    options = parser.parse_args()
    seconds = 4 if options.quick else options.seconds
    bundle = open_bundle(options.model)
    films = load.films()
    settings = Settings.model_construct()
    with question.measuring("overload", options) as figures, tempfile.TemporaryDirectory() as folder:
        with serving.serving(serving.from_source(bundle.folder), Path(folder)) as server:
            load.steady(server.url, films, CLIENTS, seconds / 4)
            capacity = load.steady(server.url, films, CLIENTS, seconds / 2).throughput
            before = load.milliseconds(load.steady(server.url, films, 1, seconds / 4).read)
            with load.repeatedly(lambda: load.ask(f"{server.url}/livez"), every=0.25) as lives:
                done = load.arriving(server.url, films, TIMES * capacity, seconds)
            ended = max(answer.at for answer in done.answers)
            recovered = _recovered(server.url, films[0], AS_BEFORE * before["p50_ms"] / 1000) - ended
            memory = machine.memory(server.pid)
        figures["model"], figures["times"], figures["seconds"] = bundle.card.tag, TIMES, seconds
        figures["capacity"] = round(capacity, 2)
        figures["places"], figures["timeout_seconds"] = settings.max_concurrency, settings.timeout
        figures["before"] = before
        figures["sent_a_second"] = round(len(done.answers) / seconds, 2)
        figures["statuses"] = done.statuses
        figures["read"] = {"films_a_second": round(done.throughput, 2), **load.milliseconds(done.read)}
        figures["livez"] = load.milliseconds(answer.seconds for answer in lives)
        figures["memory_mb"] = round(memory)
        figures["targets"] = TARGETS
        figures["reached"] = {
            "recovered_seconds": round(recovered, 2),
            "livez_not_answered": sum(answer.status != 200 for answer in lives),
            "lost": sum(count for status, count in done.statuses.items() if status not in ("200", *SHED)),
            "slowest_read_seconds": round(max(done.read, default=0), 2),
        }


def _recovered(url: str, film: bytes, quick: float) -> float:
    """When, monotonic, a film was first answered within `quick` seconds; or when that was given up."""
    client = load.Client(url)
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        answer = client.send(film)
        if answer.status == 200 and answer.seconds <= quick:
            break
        time.sleep(0.1)
    client.close()
    return time.monotonic()


if __name__ == "__main__":
    main()
