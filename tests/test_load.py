"""The clients of the benchmarks, against a small server of our own."""

import itertools
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from benchmarks import load

DELAY_SECONDS = 0.02


@pytest.fixture
def server():
    """Answers every other film with 200 and the rest with 503; cuts the connection on the film b"cut"."""
    count = itertools.count()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            if b"cut" in body:
                return self.connection.close()
            time.sleep(DELAY_SECONDS)
            self.send_response(200 if next(count) % 2 == 0 else 503)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{running.server_port}"
    running.shutdown()
    running.server_close()


def test_steady_clients_wait_for_their_answers(server):
    done = load.steady(server, [b"x"], clients=2, seconds=0.5)
    assert done.statuses.keys() == {"200", "503"}
    assert len(done.answers) <= 2 * (done.seconds / DELAY_SECONDS + 1)
    assert len(done.read) == done.statuses["200"]
    assert done.throughput == pytest.approx(len(done.read) / done.seconds)
    assert all(answer.seconds >= DELAY_SECONDS for answer in done.answers)


def test_arriving_requests_do_not_wait(server):
    done = load.arriving(server, [b"x"], rate=200, seconds=0.5)
    assert len(done.answers) == 100
    assert done.seconds < 100 * DELAY_SECONDS


def test_a_lost_request_is_counted_and_the_next_one_goes_on(server):
    client = load.Client(server)
    assert client.send(b"cut").status == load.NO_ANSWER
    assert client.send(b"x").status == 200
    client.close()


def test_figures():
    assert load.milliseconds([]) == {"count": 0, "p50_ms": None, "p99_ms": None}
    assert load.milliseconds([n / 1000 for n in range(1, 101)]) == {"count": 100, "p50_ms": 50.5, "p99_ms": 100.0}


def test_films_go_through_the_classes_in_turn():
    films = load.films(100)
    assert len(films) == 100
    assert len(set(films[:4])) == 4
