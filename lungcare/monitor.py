"""What is counted of requests and readings, for /metrics. Nothing here tells one film from another."""

from collections.abc import Callable

from prometheus_client import Counter, Histogram

from lungcare import trace
from lungcare.conditions import CODES
from lungcare.problem import Problem
from lungcare.reading import Reading, Refusal

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


def request(route: str, method: str, status: int, seconds: float) -> None:
    """Count a request."""
    known = method if method in ("GET", "HEAD", "POST", "OPTIONS") else "other"
    REQUESTS.labels(route, known, status).observe(seconds)


def problem(document: Problem) -> None:
    """Count a problem, and note its code in the trace."""
    PROBLEMS.labels(document.code).inc()
    trace.note(outcome=document.outcome, code=document.code)


def counted(door: str, read: Callable[[], Reading | Refusal]) -> Reading | Refusal:
    """Read one film, and count what came of it. door: where it came in. read: reads it."""
    whole = trace.current()
    with trace.tracing(whole.request_id if whole else "") as own:
        answer = read()
    _count(door, answer, own)
    if whole is not None:
        for stage, seconds in own.seconds.items():
            whole.seconds[stage] = whole.seconds.get(stage, 0.0) + seconds
        whole.notes |= own.notes | {"door": door, "outcome": answer.outcome, "model": answer.model}
        if isinstance(answer, Refusal):
            whole.notes["code"] = answer.code
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
