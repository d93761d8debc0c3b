"""Ours beside the thesis's way to serve: python -m benchmarks.serving [--quick] [--turns 4] [--seconds 4]

Three servers run side by side and are measured in turn: the thesis's (benchmarks/thesis_server.py), ours with the same
network, ours with the reader's. Clients wait for each answer before they send the next film. Writes
docs/results/bench/serving.json.
"""

import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from benchmarks import load, machine, question
from lungcare.bundle import MODELS, Bundle
from tests import serving

THESIS = "thesis-cnn4"
CLIENTS = (1, 16)
TARGETS = {
    "same_throughput_16": ("at least", 3),
    "same_p50_1": ("at least", 2.5),
    "reader_throughput_16": ("at least", 5),
    "memory_mb": ("at most", 1500),
}


def main() -> None:
    """Measure and write the results."""
    parser = question.parser(__doc__)
    parser.add_argument("--turns", type=int, default=4, help="how often each is measured (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=4, help="of each measurement (default: %(default)s)")
    options = parser.parse_args()
    if options.quick:
        options.turns, options.seconds = 1, 2
    films = load.films()
    with (
        question.measuring("serving", options) as figures,
        tempfile.TemporaryDirectory() as folder,
        ExitStack() as running,
    ):
        commands = {
            "thesis": [sys.executable, "-m", "benchmarks.thesis_server", str(Bundle(MODELS / THESIS).network)],
            "same": serving.from_source(MODELS / THESIS),
            "reader": serving.from_source(MODELS / options.model),
        }
        servers = {}
        for name, command in commands.items():
            (Path(folder) / name).mkdir()
            servers[name] = running.enter_context(serving.serving(command, Path(folder) / name))
            load.steady(servers[name].url, films, max(CLIENTS), 2)
        turns = [
            {
                f"{name}_{clients}": _measured(server, films, clients, options.seconds)
                for clients in CLIENTS
                for name, server in servers.items()
            }
            for _ in range(options.turns)
        ]
        figures["models"] = {
            "same": Bundle(MODELS / THESIS).card.tag,
            "reader": Bundle(MODELS / options.model).card.tag,
        }
        figures["turns"], figures["seconds"] = options.turns, options.seconds
        figures["servers"] = {
            name: {str(clients): _summary([turn[f"{name}_{clients}"] for turn in turns]) for clients in CLIENTS}
            for name in servers
        }
        figures["targets"] = TARGETS
        figures["reached"] = reached(figures["servers"])


def reached(servers: dict) -> dict[str, float]:
    """The figures that have a target: ours to the thesis's, and the most memory of ours."""
    thesis, same, reader = servers["thesis"], servers["same"], servers["reader"]
    return {
        "same_throughput_16": round(same["16"]["films_a_second"] / thesis["16"]["films_a_second"], 2),
        "same_p50_1": round(thesis["1"]["p50_ms"] / same["1"]["p50_ms"], 2),
        "reader_throughput_16": round(reader["16"]["films_a_second"] / thesis["16"]["films_a_second"], 2),
        "memory_mb": max(own[clients]["memory_mb"] for own in (same, reader) for clients in own),
    }


def _measured(server: serving.Server, films: list[bytes], clients: int, seconds: float) -> dict:
    """One server under so many clients for a while."""
    used, own = machine.processor_seconds(server.pid), time.process_time()
    done = load.steady(server.url, films, clients, seconds)
    return {
        "load": done,
        "cores": (machine.processor_seconds(server.pid) - used) / done.seconds,
        "client_cores": (time.process_time() - own) / done.seconds,
        "memory": machine.memory(server.pid),
    }


def _summary(turns: list[dict]) -> dict:
    """All turns of one server under so many clients: latencies of all, medians of the rest."""
    loads = [turn["load"] for turn in turns]
    return {
        "films_a_second": round(statistics.median(done.throughput for done in loads), 2),
        **load.milliseconds(seconds for done in loads for seconds in done.read),
        "not_read": sum(len(done.answers) - len(done.read) for done in loads),
        "cores": round(statistics.median(turn["cores"] for turn in turns), 2),
        "client_cores": round(statistics.median(turn["client_cores"] for turn in turns), 2),
        "memory_mb": round(max(turn["memory"] for turn in turns)),
    }


if __name__ == "__main__":
    main()
