"""Guard: the ASGI middlewares that stand before all routes, BentoML's own included.

From the outside in: the request gets its id and is logged, the prefix of a proxy is taken off and headers are set
(`Guard`); other sites are let in or not (CORS), as the setting says and whatever the app does; whatever goes wrong
becomes a problem document (`Problems`); keys and rates (`access.py`); places and time (`workload.py`); bodies and films
(`forms.py`).
"""

import logging
import re
import time
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lungcare import api, monitor, problem
from lungcare.access import HEALTH, Access
from lungcare.forms import FORM_BYTES, Body, FilmForm, Forms
from lungcare.language import preferred
from lungcare.problem import Problem, RequestError
from lungcare.rates import Rates, address
from lungcare.settings import Settings
from lungcare.trace import Trace, tracing
from lungcare.workload import Workload

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
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
REQUEST_ID = "x-request-id"
# What log and metrics call the end of a request whose sender went before he was answered, as nginx does.
_GONE = 499
_METHODS = ("GET", "HEAD", "POST", "OPTIONS")

logger = logging.getLogger("lungcare.requests")


def guarded(app: ASGIApp, settings: Settings, model: str) -> ASGIApp:
    """An app behind all guards. model: tag of the model, which problems name."""
    rates = Rates(settings.rate_limit)
    access = Access(app, settings.keys, rates, api.PAGE, (api.MODEL,), settings.page_open)
    workload = Workload(access.reads, settings.max_concurrency, settings.timeout)
    forms = {
        api.CLASSIFY: FilmForm(api.FIELD, 1, settings.max_bytes + FORM_BYTES, flags=(api.MAP,)),
        api.CLASSIFY_BATCH: FilmForm(
            api.FILMS, api.MOST_FILMS, settings.max_batch_bytes + FORM_BYTES, too_large="request_too_large"
        ),
    }
    other = FilmForm(api.FIELD, 1, settings.max_bytes + FORM_BYTES)
    routes = _with_prefix(app, settings.root_path)
    access.app = workload.places(Forms(workload.deadline(routes), forms, other, settings.timeout, rates))
    most = max(4 * other.max_bytes, *(form.max_bytes for form in forms.values()))
    inner = _without_cors(Problems(access, model, settings.root_path, most))
    if settings.cors_origins:
        inner = CORSMiddleware(
            inner,
            allow_origins=settings.cors_origins,
            allow_methods=("GET", "POST"),
            allow_headers=("authorization", "x-api-key", REQUEST_ID, "content-type", "accept-language"),
            expose_headers=(REQUEST_ID, "retry-after"),
        )
    return Guard(inner, app, settings)


class Guard:
    """ASGI middleware: request id, log and metrics, prefix, headers. bare: the app that is started and stopped."""

    def __init__(self, app: ASGIApp, bare: ASGIApp, settings: Settings):
        self.app = app
        self.bare = bare
        self.prefix = settings.root_path
        self.log_addresses = settings.log_addresses

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] == "lifespan":
            return await self.bare(scope, receive, send)
        if scope["type"] != "http":
            # Nothing here speaks WebSocket; one that is let through would go around all guards.
            await receive()
            return await send({"type": "websocket.close", "code": 1008})
        scope = self._without_prefix(scope)
        start = time.perf_counter()
        with tracing(_request_id(Headers(scope=scope))) as trace:
            status = _GONE

            async def sending(message: Message) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = message["status"]
                    self._set_headers(MutableHeaders(scope=message), trace)
                await send(message)

            try:
                await self.app(scope, receive, sending)
            finally:
                self._log(scope, status, time.perf_counter() - start, trace)

    def _without_prefix(self, scope: Scope) -> Scope:
        """The request as all guards know it, whether the proxy took its prefix off or not."""
        path, prefix = scope["path"], self.prefix
        if prefix and (path == prefix or path.startswith(f"{prefix}/")):
            path = path.removeprefix(prefix) or "/"
        return {**scope, "path": path}

    def _set_headers(self, headers: MutableHeaders, trace: Trace) -> None:
        for name, value in SECURITY_HEADERS.items():
            headers.setdefault(name, value)
        headers[REQUEST_ID] = trace.request_id
        location = headers.get("location", "")
        if self.prefix and location.startswith("/") and not location.startswith(f"{self.prefix}/"):
            headers["location"] = self.prefix + location

    def _log(self, scope: Scope, status: int, seconds: float, trace: Trace) -> None:
        route = _route(scope["path"])
        method = scope["method"] if scope["method"] in _METHODS else "other"
        monitor.request(route, method, status, seconds)
        is_file_of_page = route.startswith(api.PAGE) and scope["method"] in ("GET", "HEAD") and status < 400
        if scope["path"] in HEALTH or is_file_of_page:
            return
        told = {
            "request_id": trace.request_id,
            "method": method,
            "route": route,
            "status": status,
            "seconds": round(seconds, 4),
            **trace.notes,
        }
        if "lungcare.key" in scope:
            told["key"] = scope["lungcare.key"]
        if self.log_addresses:
            told["address"] = address(scope)
        logger.info("request", extra={"told": told})


class Problems:
    """ASGI middleware: every answer of 400 or more becomes a problem document.

    model: tag that it names. prefix: under which a proxy offers the service. most: bytes that are taken of any body, so
    also from a sender who is refused while he sends.
    """

    def __init__(self, app: ASGIApp, model: str, prefix: str, most: int):
        self.app = app
        self.model = model
        self.prefix = prefix
        self.most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        language = preferred(Headers(scope=scope).get("accept-language"))
        body = Body(receive, self.most)
        is_answered = is_replaced = False

        def of_status(status: int) -> Problem:
            return problem.of_status(status, scope["path"], language, self.model, self.prefix)

        async def answer(document: Problem, headers: dict[str, str] | None = None) -> None:
            monitor.problem(document)
            await problem.response(document, headers)(scope, receive, send)

        async def sending(message: Message) -> None:
            nonlocal is_answered, is_replaced
            if message["type"] == "http.response.start":
                is_answered = True
                headers = Headers(raw=message["headers"])
                if message["status"] >= 400 and headers.get("content-type", "") != problem.MEDIA_TYPE:
                    is_replaced = True
                    if body.is_gone:
                        return None
                    kept = {name: headers[name] for name in ("allow", "retry-after") if name in headers}
                    return await answer(of_status(message["status"]), kept)
            if not is_replaced:
                await send(message)

        try:
            await self.app(scope, body.receive, sending)
        except RequestError as error:
            if not is_answered:
                await body.drain()
                await answer(problem.problem(error, language, self.model, self.prefix), error.headers)
        except ClientDisconnect:  # nobody is left to be answered
            return
        except Exception:  # the last door: the cause into the log, no stack trace to the sender
            logger.exception("A request failed")
            if not is_answered:
                await answer(of_status(500))


def _without_cors(app: ASGIApp) -> ASGIApp:
    """An app that lets no other site in of its own accord: Gradio would let in every one."""

    async def answered(scope: Scope, receive: Receive, send: Send) -> None:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name in {name for name in headers if name.startswith("access-control-")}:
                    del headers[name]
            await send(message)

        await app(scope, receive, sending)

    return answered


def _with_prefix(app: ASGIApp, prefix: str) -> ASGIApp:
    """An app that is told the prefix as the ASGI standard says: in the path, and as root_path."""

    async def told(scope: Scope, receive: Receive, send: Send) -> None:
        path = prefix + scope["path"]
        await app({**scope, "path": path, "raw_path": path.encode(), "root_path": prefix}, receive, send)

    return told


def _request_id(headers: Headers) -> str:
    """The sender's id for the request, where it is one that may stand in a log; else a new one."""
    given = headers.get(REQUEST_ID, "")
    return given if re.fullmatch(r"[A-Za-z0-9._-]{1,64}", given) else uuid4().hex[:16]


def _route(path: str) -> str:
    """The route of a path, as log and metrics name it: few, and nothing that a sender wrote."""
    if path.startswith(f"{api.PAGE}/"):
        return f"{api.PAGE}/*"
    return path if path in api.ROUTES else "other"
