"""Guard: an ASGI middleware that holds the limits before any route sees a request.

Every body is bounded, whether its length is announced or not. On the reading route it also sees to the form: the
route behind it gets exactly one well-formed file field, whatever the sender sent, or never runs.
"""

from collections.abc import AsyncIterator
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lungcare.api import FIELD, STATUS_BY_CODE, Failure
from lungcare.language import preferred
from lungcare.reading import Refusal
from lungcare.words import say

FORM_BYTES = 65_536
SECURITY_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "content-security-policy": (
        "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; font-src 'self' data:; worker-src 'self' blob:; object-src 'none'; "
        "base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
    ),
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}


class RequestError(ValueError):
    """A request that carries no film, with a code of STATUS_BY_CODE and what the sentences name."""

    def __init__(self, code: str, **values: int | str):
        super().__init__(code)
        self.code = code
        self.values = values


class Guard:
    """Middleware for `Service.add_asgi_middleware`.

    path: the route that takes a film in the multipart field `film`. max_bytes: the largest film.
    model: tag of the model, which refusals name.
    """

    def __init__(self, app: ASGIApp, path: str, max_bytes: int, model: str):
        self.app = app
        self.path = path
        self.model = model
        self.max_bytes = max_bytes
        self.limit = max_bytes + FORM_BYTES

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        send = _with_security_headers(send)
        body = _Body(receive, self.limit)
        try:
            self._check_announced(scope)
            if scope["path"] == self.path and scope["method"] == "POST":
                film = await self._film(scope, body)
                scope, receive = _single_field(scope, film)
                await self.app(scope, receive, _without_internals(scope, send))
            else:
                await self._bounded(scope, body, send)
        except RequestError as error:
            await body.drain()
            await self._refusal(error, scope)(scope, receive, send)

    async def _bounded(self, scope: Scope, body: "_Body", send: Send) -> None:
        """Run the app on a body that may turn out too large; its own answer then no longer matters."""
        is_answering = False

        async def wrapped(message: Message) -> None:
            nonlocal is_answering
            if is_answering or not body.is_too_large:
                is_answering = True
                await send(message)

        try:
            await self.app(scope, body.receive, wrapped)
        except Exception:
            if is_answering or not body.is_too_large:
                raise
        if body.is_too_large and not is_answering:
            raise self._too_large()

    def _check_announced(self, scope: Scope) -> None:
        length = Headers(scope=scope).get("content-length", "0")
        if not length.isdecimal() or int(length) > self.limit:
            raise self._too_large()

    def _too_large(self) -> RequestError:
        return RequestError("file_too_large", megabytes=f"{self.max_bytes / 1e6:g}")

    def _refusal(self, error: RequestError, scope: Scope) -> JSONResponse:
        language = preferred(Headers(scope=scope).get("accept-language"))
        refusal = Refusal(
            code=error.code,
            message=say(f"refusal.{error.code}.message", language, **error.values),
            advice=say(f"refusal.{error.code}.advice", language, **error.values),
            model=self.model,
        )
        return JSONResponse(refusal.model_dump(), STATUS_BY_CODE[error.code])

    async def _film(self, scope: Scope, body: "_Body") -> bytes:
        """The bytes in the field `film`. Raises RequestError."""
        headers = Headers(scope=scope)
        content_type = headers.get("content-type", "").lower()
        if not content_type.startswith("multipart/form-data"):
            raise RequestError("not_multipart" if content_type else "no_film", field=FIELD)
        parser = InMemoryParser(headers, body.stream(), max_files=8, max_fields=8, max_part_size=FORM_BYTES)
        try:
            form = await parser.parse()
        except (MultiPartException, ValueError, LookupError) as error:
            if body.is_too_large:
                raise self._too_large() from error
            raise RequestError("damaged_request", field=FIELD) from error
        if body.is_too_large:
            raise self._too_large()
        films = [value for value in form.getlist(FIELD) if isinstance(value, UploadFile)]
        others = sorted(set(form) - {FIELD})
        if not films:
            names = ", ".join(others)[:80]
            raise RequestError("wrong_field" if others else "no_film", field=FIELD, received=names)
        if len(films) > 1:
            raise RequestError("several_films", field=FIELD, count=len(films))
        return await films[0].read()


class InMemoryParser(MultiPartParser):
    """Reads a form and writes no film to the disk: what is larger than the limit never comes this far."""

    spool_max_size = 2**40


class _Body:
    """The body of one request, counted while it is read."""

    def __init__(self, receive: Receive, limit: int):
        self._receive = receive
        self._limit = limit
        self._count = 0
        self._ended = False

    @property
    def is_too_large(self) -> bool:
        return self._count > self._limit

    async def receive(self) -> Message:
        """The next message; where the body grows too large, as though the sender had gone."""
        message = await self._receive()
        self._count += len(message.get("body", b""))
        self._ended = message["type"] == "http.disconnect" or not message.get("more_body", False)
        return {"type": "http.disconnect"} if self.is_too_large else message

    async def stream(self) -> AsyncIterator[bytes]:
        """The body piece by piece; it just ends where it grows too large or the sender goes."""
        while not self._ended:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                return
            yield message.get("body", b"")

    async def drain(self) -> None:
        """Read on for a while and forget it, so that a sender who is still sending gets to see the answer."""
        while not self._ended and self._count < 4 * self._limit:
            await self.receive()


def _single_field(scope: Scope, film: bytes) -> tuple[Scope, Receive]:
    """A request like this one whose body is a form with one file field."""
    boundary = uuid4().hex
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="{FIELD}"; filename="{FIELD}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    body = b"".join((head.encode(), film, f"\r\n--{boundary}--\r\n".encode()))
    scope = {**scope, "headers": list(scope["headers"])}
    headers = MutableHeaders(scope=scope)
    headers["content-type"] = f"multipart/form-data; boundary={boundary}"
    headers["content-length"] = str(len(body))
    del headers["transfer-encoding"]
    messages = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receive() -> Message:
        return next(messages, {"type": "http.disconnect"})

    return scope, receive


def _with_security_headers(send: Send) -> Send:
    async def wrapped(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in SECURITY_HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return wrapped


def _without_internals(scope: Scope, send: Send) -> Send:
    """`send`, with our own plain answer in place of any failure of ours. The cause is in the log, by its id."""
    replaced = False

    async def wrapped(message: Message) -> None:
        nonlocal replaced
        if message["type"] == "http.response.start" and message["status"] >= 500:
            replaced = True
            request_id = Headers(raw=message["headers"]).get("x-bentoml-request-id", "")
            await _failure(request_id, message["status"], scope)(scope, None, send)
        elif not replaced:
            await send(message)

    return wrapped


def _failure(request_id: str, status: int, scope: Scope) -> JSONResponse:
    language = preferred(Headers(scope=scope).get("accept-language"))
    failure = Failure(
        message=say("failure.message", language),
        advice=say("failure.advice", language, request_id=request_id),
        request_id=request_id,
    )
    return JSONResponse(failure.model_dump(), status)
