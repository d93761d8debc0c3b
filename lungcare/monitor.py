"""What is counted and logged of requests and readings. Nothing here tells what is on a film, or whose it is."""

import logging
from collections.abc import Callable
from uuid import uuid4

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, Counter, Histogram, generate_latest

from lungcare import trace
from lungcare.conditions import CODES
from lungcare.problem import Problem
from lungcare.reading import Reading, Refusal

MEDIA_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_SHARES = tuple(step / 20 for step in range(1, 21))

REQUESTS = Histogram("lungcare_request_seconds", "Time to answer.", ("route", "method", "status"), buckets=_SECONDS)
PROBLEMS = Counter("lungcare_problems", "Requests that were not answered as asked.", ("code",))
STAGES = Histogram("lungcare_stage_seconds", "Time of each stage of a reading.", ("stage",), buckets=_SECONDS)
FILMS = Counter(
    "lungcare_films",
    "Films, by what came of them; the code is that of a refusal.",
    ("door", "outcome", "code", "model"),
)
FINDINGS = Counter("lungcare_findings", "Films that were read, by finding.", ("finding", "uncertain", "model"))
PROBABILITY = Histogram(
    "lungcare_probability", "Probability of each condition.", ("condition", "model"), buckets=_SHARES
)
BRIGHTNESS = Histogram("lungcare_brightness", "Mean grey level of a film, 0 black to 1 white.", (), buckets=_SHARES)

logger = logging.getLogger("lungcare.films")


def exposition() -> bytes:
    """All that was counted in this process, as Prometheus reads it."""
    return generate_latest(REGISTRY)


def request(route: str, method: str, status: int, seconds: float) -> None:
    """Count a request."""
    REQUESTS.labels(route, method, status).observe(seconds)


def problem(document: Problem) -> None:
    """Count a problem, and note its code in the trace."""
    PROBLEMS.labels(document.code).inc()
    trace.note(outcome=document.outcome, code=document.code)


def counted(door: str, read: Callable[[], Reading | Refusal]) -> Reading | Refusal:
    """Read one film; count what came of it, and log it in a line of its own. door: where it came in. read: reads it."""
    of_request = trace.current()
    with trace.tracing(of_request.request_id if of_request else uuid4().hex[:16]) as own:
        answer = read()
        _count(door, answer, own)
        _log(door, answer, own)
    return answer


def _count(door: str, answer: Reading | Refusal, own: trace.Trace) -> None:
    code = answer.code if isinstance(answer, Refusal) else ""
    FILMS.labels(door, answer.outcome, code, answer.model).inc()
    for stage, seconds in own.seconds.items():
        STAGES.labels(stage).observe(seconds)
    if "brightness" in own.notes:
        BRIGHTNESS.observe(own.notes["brightness"])
    if isinstance(answer, Reading):
        FINDINGS.labels(answer.finding, str(answer.uncertain).lower(), answer.model).inc()
        for condition in CODES:
            PROBABILITY.labels(condition, answer.model).observe(getattr(answer.probabilities, condition))


def _log(door: str, answer: Reading | Refusal, own: trace.Trace) -> None:
    told = {"door": door, "outcome": answer.outcome, "model": answer.model, **own.notes, "stages": own.stages()}
    if isinstance(answer, Refusal):
        told["code"] = answer.code
    logger.info("film", extra={"told": told})
