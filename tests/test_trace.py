import threading
from contextvars import copy_context

from lungcare import trace
from tests import phantom


def test_a_reading_notes_its_stages_in_the_open_trace(reader):
    with trace.tracing("abc") as open_trace:
        reader.read(phantom.film())
    assert set(open_trace.seconds) >= {"decode", "gate", "scale", "network"}
    assert all(seconds > 0 for seconds in open_trace.seconds.values())
    assert 0 < open_trace.notes["brightness"] < 1
    assert trace.current() is None
    reader.read(phantom.film())


def test_stages_add_up_and_reach_the_trace_from_threads():
    with trace.tracing("abc") as open_trace:
        for _ in range(2):
            thread = threading.Thread(target=copy_context().run, args=(trace.stage("work")(lambda: None),))
            thread.start()
            thread.join()
    assert list(open_trace.stages()) == ["work"]
