import os

import pytest

from lungcare.cores import cores


@pytest.mark.parametrize(
    ("limit", "expected"), [("max 100000", 8), ("200000 100000", 2), ("150000 100000", 2), ("50000 100000", 1), ("", 8)]
)
def test_a_container_may_have_fewer_cores_than_its_machine(tmp_path, monkeypatch, limit, expected):
    path = tmp_path / "cpu.max"
    path.write_text(limit)
    monkeypatch.setattr("lungcare.cores._CPU_MAX", path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(8)), raising=False)
    assert cores() == expected


def test_without_a_control_group_all_cores_are_ours(tmp_path, monkeypatch):
    monkeypatch.setattr("lungcare.cores._CPU_MAX", tmp_path / "none")
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 3, 5}, raising=False)
    assert cores() == 3
