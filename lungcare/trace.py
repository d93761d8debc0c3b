"""What is noted of one request, or of one film of it: its id, how long each stage took, and how it ended.

The guard opens a trace for a request and logs it, `monitor.counted` one for each film; the reader notes its stages in
whatever trace is open, and in none otherwise. A trace holds nothing of a film.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

_current: ContextVar["Trace | None"] = ContextVar("trace", default=None)


@dataclass
class Trace:
    """request_id: names the request everywhere. seconds: time taken by each stage. notes: other things to log."""

    request_id: str
    seconds: dict[str, float] = field(default_factory=dict)
    notes: dict[str, str | int | float] = field(default_factory=dict)

    def stages(self) -> dict[str, float]:
        """Seconds of each stage, as the log tells them."""
        return {name: round(taken, 4) for name, taken in self.seconds.items()}


@contextmanager
def tracing(request_id: str) -> Iterator[Trace]:
    """Open a trace, for what is called inside the block, in its threads and tasks too."""
    trace = Trace(request_id)
    token = _current.set(trace)
    try:
        yield trace
    finally:
        _current.reset(token)


def current() -> Trace | None:
    """The trace that is open here, if one is."""
    return _current.get()


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Count the time of the block to a stage."""
    start = time.perf_counter()
    try:
        yield
    finally:
        trace = _current.get()
        if trace is not None:
            trace.seconds[name] = trace.seconds.get(name, 0.0) + time.perf_counter() - start


def note(**notes: str | int | float) -> None:
    """Note something in the trace that is open here, if one is."""
    trace = _current.get()
    if trace is not None:
        trace.notes.update(notes)
