"""What the HTTP interface answers when it does not read: problem documents (RFC 9457) with a code."""

from http import HTTPStatus
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse

from lungcare import reading, trace
from lungcare.reading import SCHEMA_VERSION, Refusal
from lungcare.words import say

MEDIA_TYPE = "application/problem+json"

# What is wrong with a request rather than with a film; the codes of films are in lungcare.reading.
_OF_REQUESTS = {
    "bad_request": 400,
    "damaged_request": 400,
    "no_film": 400,
    "several_films": 400,
    "wrong_field": 400,
    "wrong_value": 400,
    "no_key": 401,
    "wrong_key": 401,
    "not_found": 404,
    "method_not_allowed": 405,
    "slow_request": 408,
    "request_too_large": 413,
    "too_many_films": 413,
    "not_multipart": 415,
    "too_many_requests": 429,
    "too_many_wrong_keys": 429,
}
# What is wrong with us.
_OF_OURS = {"internal_error": 500, "busy": 503, "not_ready": 503, "timed_out": 504}
# What is said where another layer refused with a status and no code.
_BY_STATUS = {
    404: "not_found",
    405: "method_not_allowed",
    413: "request_too_large",
    429: "too_many_requests",
    503: "busy",
    504: "timed_out",
}
_READY = "/readyz"
_NEVER_BY_HTTP = {"unreadable_file"}
STATUS_BY_CODE = {
    code: status
    for code, status in (reading.STATUS_BY_CODE | _OF_REQUESTS | _OF_OURS).items()
    if code not in _NEVER_BY_HTTP
}

EXAMPLE_PROBLEM = {
    "type": "/docs#no_contrast",
    "title": "Unprocessable Entity",
    "status": 422,
    "detail": "The film has hardly any contrast.",
    "schema_version": SCHEMA_VERSION,
    "outcome": "refused",
    "code": "no_contrast",
    "message": "The film has hardly any contrast.",
    "advice": "Export it again with a suitable window.",
    "model": "lungcare:1.0.0",
    "request_id": "7f2a90c41d1b4c55",
}


class Problem(BaseModel):
    """Why there is no reading: a problem document (RFC 9457)."""

    model_config = ConfigDict(frozen=True, json_schema_extra={"examples": [EXAMPLE_PROBLEM]})

    type: str = Field(description="Where the code is explained.")
    title: str = Field(description="The name of the status.")
    status: int = Field(ge=400, le=599, description="The status, as in the answer's first line.")
    detail: str = Field(description="The same as `message`, where readers of RFC 9457 look for it.")
    schema_version: Literal["1.0"] = SCHEMA_VERSION
    outcome: Literal["refused", "failed"] = Field(
        description="`refused`: something about the request or the film; `failed`: something of ours."
    )
    code: str = Field(description="Why, as a code that never changes.")
    message: str = Field(description="What was wrong, in one sentence.")
    advice: str = Field(description="What to do or what is accepted, in one sentence.")
    model: str = Field(description="The model that would have read the film, as name:version.")
    request_id: str = Field(description="Names this request in the log of the service.")


class RequestError(Exception):
    """A request that is not answered as asked, with a code of STATUS_BY_CODE and what the sentences name.

    headers: for the answer, such as Retry-After.
    """

    def __init__(self, code: str, headers: dict[str, str] | None = None, **values: float | str):
        super().__init__(code)
        self.code = code
        self.headers = headers or {}
        self.values = values


def problem(error: RequestError, language: str, model: str, prefix: str = "") -> Problem:
    """The problem document for an error, in the words of a language. prefix: under which a proxy offers the service."""
    values = error.values | {"request_id": _request_id()}
    message = say(f"refusal.{error.code}.message", language, **values)
    advice = say(f"refusal.{error.code}.advice", language, **values)
    return _problem(error.code, STATUS_BY_CODE[error.code], message, advice, model, prefix)


def refused(refusal: Refusal, prefix: str = "") -> Problem:
    """The problem document for a film that was refused."""
    status = STATUS_BY_CODE[refusal.code]
    return _problem(refusal.code, status, refusal.message, refusal.advice, refusal.model, prefix)


def of_status(status: int, path: str, language: str, model: str, prefix: str = "") -> Problem:
    """The problem document for a status of 400 or more that another layer chose for a path."""
    code = _BY_STATUS.get(status, "bad_request" if status < 500 else "internal_error")
    if (status, path) == (503, _READY):
        code = "not_ready"
    document = problem(RequestError(code), language, model, prefix)
    return document.model_copy(update={"status": status, "title": _title(status)})


def response(document: Problem, headers: dict[str, str] | None = None) -> JSONResponse:
    """The HTTP answer for a problem document."""
    told = {"vary": "Accept-Language", **(headers or {})}
    return JSONResponse(document.model_dump(), document.status, told, MEDIA_TYPE)


def _problem(code: str, status: int, message: str, advice: str, model: str, prefix: str) -> Problem:
    return Problem(
        type=f"{prefix}/docs#{code}",
        title=_title(status),
        status=status,
        detail=message,
        outcome="failed" if status >= 500 else "refused",
        code=code,
        message=message,
        advice=advice,
        model=model,
        request_id=_request_id(),
    )


def _title(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return f"Status {status}"


def _request_id() -> str:
    open_trace = trace.current()
    return open_trace.request_id if open_trace else ""
