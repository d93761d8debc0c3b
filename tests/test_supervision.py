from bentoml._internal.utils import circus

from lungcare.supervision import SECONDS, look_each_second


def test_workers_are_looked_after_each_second(monkeypatch):
    monkeypatch.setattr(circus, "create_standalone_arbiter", circus.create_standalone_arbiter)
    look_each_second()
    arbiter = circus.create_standalone_arbiter([])
    try:
        assert arbiter.check_delay == SECONDS
    finally:
        arbiter.context.destroy()
