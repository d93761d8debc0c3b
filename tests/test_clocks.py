"""Durations are of clocks that nobody sets: the time of day is for logs and dates alone."""

import ast

from tests.conftest import ROOT

SERVED = [ROOT / "service.py", ROOT / "gradio_app.py", *(ROOT / "lungcare").glob("**/*.py")]
# The age of a folder is held against what the disk wrote down; the end of a rate's window comes as a time of day.
ALLOWED = {"lungcare/store.py", "lungcare/rates.py"}


def times_of_day(source: str) -> int:
    """How often a module asks time.time."""
    nodes = ast.walk(ast.parse(source))
    return sum(ast.unparse(node.func) == "time.time" for node in nodes if isinstance(node, ast.Call))


def test_what_is_served_measures_no_duration_by_the_time_of_day():
    users = {path.relative_to(ROOT).as_posix() for path in SERVED if times_of_day(path.read_text(encoding="utf-8"))}
    assert users == ALLOWED


def test_a_use_would_be_found():
    assert times_of_day("import time\nstart = time.time()\nend = time.monotonic()") == 1
