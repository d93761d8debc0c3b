"""Who may call: an ASGI middleware that asks for an API key where there are keys, and bounds what each sender asks."""

import base64

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from lungcare.keys import KeyRecord, matching
from lungcare.problem import RequestError
from lungcare.rates import Rates

HEALTH = ("/livez", "/readyz", "/healthz")
# What tells how to call, and says nothing of films: free to all.
OPEN = (*HEALTH, "/", "/docs", "/docs.json", "/openapi.json", "/schema.json", "/favicon.ico")


class Access:
    """ASGI middleware. page: the prefix of the page's routes; beside: other routes that go with it.

    page_open: whether those need no key. Without keys, everybody may call everything.
    """

    def __init__(
        self,
        app: ASGIApp,
        keys: tuple[KeyRecord, ...],
        rates: Rates,
        page: str,
        beside: tuple[str, ...],
        page_open: bool,
    ):
        self.app = app
        self.keys = keys
        self.rates = rates
        self.page = page
        self.beside = beside
        self.page_open = page_open

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request. Raises RequestError."""
        if self.keys and scope["path"] not in OPEN:
            self._authenticate(scope)
        if self.reads(scope):
            # A call of the page counts as one film; the films of a form are counted together, once they have come.
            (self.rates.charge if self._is_of_page(scope["path"]) else self.rates.check)(scope)
        await self.app(scope, receive, send)

    def reads(self, scope: Scope) -> bool:
        """Whether a request may have a film read."""
        path = scope["path"]
        return scope["method"] == "POST" and (
            path.startswith((f"{self.page}/", "/classify")) and not path.endswith("/upload")
        )

    def _is_of_page(self, path: str) -> bool:
        return path == self.page or path.startswith(f"{self.page}/")

    def _authenticate(self, scope: Scope) -> None:
        """Note the key of a request. Raises RequestError where there has to be one."""
        path = scope["path"]
        of_page = self._is_of_page(path) or path in self.beside
        key = _key(Headers(scope=scope))
        record = matching(self.keys, key) if key is not None else None
        if record is not None:
            scope["lungcare.key"] = record.name
        elif not (of_page and self.page_open):
            if key is not None:
                self.rates.attempt(scope)
            # A browser asks its visitor for a name, which does not matter, and a password, which is the key.
            ways = 'Basic realm="LungCare", charset="UTF-8"' if of_page else 'Bearer realm="LungCare"'
            raise RequestError("no_key" if key is None else "wrong_key", {"www-authenticate": ways})


def _key(headers: Headers) -> str | None:
    """The key of a request: a bearer token, a password, or the header X-API-Key."""
    if "x-api-key" in headers:
        return headers["x-api-key"]
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode().partition(":")[2]
        except ValueError:
            return ""
    return None
