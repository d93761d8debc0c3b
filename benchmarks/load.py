"""Clients that send films to a server, and what became of each request."""

import http.client
import itertools
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
PATIENCE_SECONDS = 120
NO_ANSWER = 0
_BOUNDARY = "film"

Seen = TypeVar("Seen")


@dataclass(frozen=True)
class Answer:
    """One request. at: when it was sent, monotonic. seconds: until it was answered. status: NO_ANSWER for none."""

    at: float
    seconds: float
    status: int


@dataclass(frozen=True)
class Load:
    """What became of the requests of a while. seconds: how long it lasted."""

    answers: Sequence[Answer]
    seconds: float

    @property
    def read(self) -> list[float]:
        """Seconds of each request that was answered 200."""
        return [answer.seconds for answer in self.answers if answer.status == 200]

    @property
    def throughput(self) -> float:
        """Films read in a second."""
        return len(self.read) / self.seconds

    @property
    def statuses(self) -> dict[str, int]:
        """How many answers of each status."""
        return {str(status): count for status, count in sorted(Counter(a.status for a in self.answers).items())}


def films(count: int | None = None) -> list[bytes]:
    """The drawn films in examples/, a class after the other in turn; the first `count`, over again where too few."""
    of_class = [sorted(folder.glob("*.png")) for folder in sorted(EXAMPLES.iterdir()) if folder.is_dir()]
    paths = [path for row in itertools.zip_longest(*of_class) for path in row if path]
    return [path.read_bytes() for path in itertools.islice(itertools.cycle(paths), count or len(paths))]


def form(film: bytes) -> tuple[dict[str, str], bytes]:
    """Headers and body of the request that asks to read a film."""
    head = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="film"; filename="film.png"\r\n\r\n'
    body = head.encode() + film + f"\r\n--{_BOUNDARY}--\r\n".encode()
    return {"Content-Type": f"multipart/form-data; boundary={_BOUNDARY}"}, body


class Client:
    """One client with one connection, opened anew where it was closed. url: of the server."""

    def __init__(self, url: str, path: str = "/classify"):
        self._address = urlsplit(url).netloc
        self._path = path
        self._connection = self._connected()

    def send(self, film: bytes) -> Answer:
        """Send one film and wait for the answer."""
        headers, body = form(film)
        start = time.monotonic()
        try:
            self._connection.request("POST", self._path, body, headers)
            answer = self._connection.getresponse()
            answer.read()
            status = answer.status
        except (OSError, http.client.HTTPException):
            self._connection.close()
            self._connection = self._connected()
            status = NO_ANSWER
        return Answer(start, time.monotonic() - start, status)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _connected(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self._address, timeout=PATIENCE_SECONDS)


def steady(url: str, sent: Sequence[bytes], clients: int, seconds: float, pause: float = 0) -> Load:
    """Each client sends a film, waits for its answer, pauses, and sends the next one, until the time is over."""
    start = time.monotonic()

    def one(number: int) -> list[Answer]:
        client = Client(url)
        answers = []
        for film in itertools.islice(itertools.cycle(sent), number, None):
            if time.monotonic() - start >= seconds:
                break
            answers.append(client.send(film))
            if pause:
                time.sleep(pause)
        client.close()
        return answers

    with ThreadPoolExecutor(clients) as pool:
        answers = [answer for own in pool.map(one, range(clients)) for answer in own]
    return Load(answers, time.monotonic() - start)


def arriving(url: str, sent: Sequence[bytes], rate: float, seconds: float, most: int = 256) -> Load:
    """Requests come `rate` a second whether earlier ones were answered or not, from at most `most` clients."""
    own = threading.local()

    def one(film: bytes) -> Answer:
        if not hasattr(own, "client"):
            own.client = Client(url)
        return own.client.send(film)

    start = time.monotonic()
    with ThreadPoolExecutor(most) as pool:
        waiting = []
        for number, film in zip(range(int(rate * seconds)), itertools.cycle(sent), strict=False):
            time.sleep(max(0.0, start + number / rate - time.monotonic()))
            waiting.append(pool.submit(one, film))
        answers = [future.result() for future in waiting]
    return Load(answers, time.monotonic() - start)


@contextmanager
def repeatedly(look: Callable[[], Seen], every: float) -> Iterator[list[Seen]]:
    """Look again and again, every so many seconds, while the block lasts; gives what was seen."""
    seen: list[Seen] = []
    is_over = threading.Event()

    def go_on() -> None:
        while not is_over.wait(every):
            seen.append(look())

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield seen
    finally:
        is_over.set()
        thread.join()


def ask(url: str) -> Answer:
    """Ask an address once, over a connection of its own."""
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.netloc, timeout=PATIENCE_SECONDS)
    start = time.monotonic()
    try:
        connection.request("GET", place.path)
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException):
        status = NO_ANSWER
    finally:
        connection.close()
    return Answer(start, time.monotonic() - start, status)


def milliseconds(seconds: Iterable[float]) -> dict[str, float | int | None]:
    """Median and 99th percentile in milliseconds, and of how many; None of none."""
    ordered = sorted(seconds)
    if not ordered:
        return {"count": 0, "p50_ms": None, "p99_ms": None}
    at = min(len(ordered) - 1, int(0.99 * len(ordered)))
    return {
        "count": len(ordered),
        "p50_ms": round(1000 * statistics.median(ordered), 2),
        "p99_ms": round(1000 * ordered[at], 2),
    }
