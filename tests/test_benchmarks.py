"""The benchmarks' page and figures, from results of our own."""

import json

import pytest

pytest.importorskip("psutil", reason="the benchmarks' packages are not installed: scripts/environment.sh bench")

from benchmarks import batch, document, load, serving, soak
from tests.conftest import ROOT

OF_ANY = {
    "command": "python -m benchmarks.x",
    "date": "2026-01-01",
    "machine": {"processor": "P", "cores": 2, "memory_gb": 8, "python": "3.11.7", "packages": {"keras": "3"}},
    "busy_before": 0.02,
    "is_quiet": True,
    "took_seconds": 10,
}
LATENCY = {"count": 9, "p50_ms": 20.0, "p99_ms": 40.0}
SERVER = {**LATENCY, "films_a_second": 40.0, "not_read": 0, "cores": 1.6, "client_cores": 0.2, "memory_mb": 900}
SLOW = {**SERVER, "films_a_second": 10.0, "p50_ms": 60.0}
RESULTS = {
    "serving": {
        "servers": {
            name: {"1": own, "16": own} for name, own in (("thesis", SLOW), ("same", SERVER), ("reader", SERVER))
        },
        "targets": {"same_throughput_16": ["at least", 3], "reader_throughput_16": ["at least", 5]},
        "reached": {"same_throughput_16": 4.0, "reader_throughput_16": 4.0},
    },
    "layers": {
        "layers": dict.fromkeys(("http", "reading", "network", "network_in_tensorflow"), LATENCY),
        "stages_ms": {"decode": 3.0, "network": 12.0},
        "largest_difference": 1e-6,
        "targets": {},
        "reached": {"http_to_reading": 1.2},
    },
    "reading": {
        "films_are": "drawn",
        "as_they_are": {"network_ms": 10.0, "whole_ms": 14.0, "with_map_ms": 18.0},
        "enlarged": {"network_ms": 10.0, "whole_ms": 20.0, "with_map_ms": 24.0},
        "targets": {"whole": ["at most", 1.5]},
        "reached": {"whole": 1.4, "with_map_large": 1.8},
    },
    "batch": {
        "cores": 2,
        "films_are": "drawn",
        "turns": {turn: {"films_a_second": rate, "cores_used": 1.9} for turn, rate in (("one", 20.0), ("all", 38.0))},
        "targets": {"share_of_ideal": ["at least", 0.85]},
        "reached": {"share_of_ideal": 0.95},
    },
    "start": {
        "starts": {kind: {"imports_seconds": 8.0, "ready_seconds": 11.0} for kind in ("cold", "warm")},
        "targets": {"cold": ["at most", 1.5]},
        "reached": {"cold": 1.6, "warm": 1.4},
    },
    "soak": {
        "films_a_second": 40.0,
        "minutes": 30,
        "clients": 4,
        "cores_used": 1.7,
        "latency_drift": 0.01,
        "windows": [{"minute": number, **LATENCY, "memory_mb": 900.0} for number in range(20)],
        "targets": {"growth": ["at most", 0.03]},
        "reached": {"growth": 0.0},
    },
    "overload": {
        "places": 32,
        "capacity": 40.0,
        "seconds": 20,
        "sent_a_second": 120.0,
        "statuses": {"200": 800, "503": 1600},
        "before": LATENCY,
        "read": {**LATENCY, "films_a_second": 40.0},
        "livez": LATENCY,
        "targets": {"recovered_seconds": ["at most", 5]},
        "reached": {"recovered_seconds": 1.0},
    },
    "faults": {
        "faults": {"the disk is full": {"held": False, "told": "A film | is\nanswered 500."}},
        "targets": {"not_held": ["at most", 0]},
        "reached": {"not_held": 1},
    },
}


@pytest.fixture
def results(tmp_path):
    """A folder with a result of each question."""
    folder = tmp_path / "results"
    folder.mkdir()
    for name, own in RESULTS.items():
        (folder / f"{name}.json").write_text(json.dumps(OF_ANY | own))
    return folder


def test_the_page_says_what_was_wanted_and_reached(results, tmp_path):
    document.write(results, tmp_path)
    page = (tmp_path / "BENCHMARKS.md").read_text()
    lines = page.splitlines()
    assert f"| {document.FIGURES['same_throughput_16']} | at least 3 | 4.0 | reached |" in lines
    assert f"| {document.FIGURES['reader_throughput_16']} | at least 5 | 4.0 | **not reached** |" in lines
    assert f"| {document.FIGURES['cold']} | at most 1.5 | 1.6 | **not reached** |" in lines
    assert "| the disk is full | A film \\| is answered 500. | **not held** |" in lines
    assert "the processor bounds it" in page
    assert "not quiet" not in page
    for name in document.BOUNDS:
        assert f"](images/bench/{name}.svg)" in page
        assert (tmp_path / "images" / "bench" / f"{name}.svg").stat().st_size < 100_000


def test_what_is_missing_or_was_not_quiet_is_said(results, tmp_path):
    (results / "soak.json").unlink()
    (results / "batch.json").write_text(json.dumps(OF_ANY | RESULTS["batch"] | {"is_quiet": False, "busy_before": 0.5}))
    document.write(results, tmp_path)
    page = (tmp_path / "BENCHMARKS.md").read_text()
    assert "Not measured yet: `python -m benchmarks.soak`." in page
    assert "Others used 50% of the cores before it began: **not quiet" in page


def test_the_page_in_the_repository_is_that_of_its_results(tmp_path):
    document.write(ROOT / "docs" / "results" / "bench", tmp_path)
    assert (tmp_path / "BENCHMARKS.md").read_text() == (ROOT / "docs" / "BENCHMARKS.md").read_text()


def test_ours_to_the_thesis():
    servers = {
        "thesis": {"1": SLOW, "16": SLOW},
        "same": {"1": SERVER, "16": SERVER},
        "reader": {"1": SERVER, "16": SERVER},
    }
    assert serving.reached(servers) == {
        "same_throughput_16": 4.0,
        "same_p50_1": 3.0,
        "reader_throughput_16": 4.0,
        "memory_mb": 900,
    }


def test_windows_of_a_soak():
    answers = [load.Answer(at=100 + at, seconds=0.1 if at < 10 else 0.2, status=200) for at in range(20)]
    memories = [(100.5 + at, 500.0 + at) for at in range(20)]
    windows = soak.windows_of(load.Load(answers, 20.0), memories, 100.0)
    assert len(windows) == soak.WINDOWS
    assert windows[3] == {"minute": 0.07, "count": 1, "p50_ms": 100.0, "p99_ms": 100.0, "memory_mb": 503.0}
    assert soak.change(windows[1:4], windows[-3:], "p50_ms") == 1.0
    assert soak.change(windows[1:4], windows[-3:], "memory_mb") == round(518 / 502 - 1, 4)


def test_films_of_a_batch_come_over_again(tmp_path):
    paths = [tmp_path / "a.png", tmp_path / "b.jpg"]
    folder = batch.linked(paths, 5, tmp_path / "films")
    assert [path.readlink() for path in sorted(folder.iterdir())] == [*paths, *paths, paths[0]]
