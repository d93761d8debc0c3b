"""Multipart forms with films: bounded while they are read, and handed on well-formed.

The reading routes get exactly the file fields that they know, whatever was sent, or never run. That is why a wrong
field, a bare file or an address in place of a file is a 4xx and never reaches the parsing of BentoML, which would
answer 500 or fetch the address.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import uuid4

from starlette.datastructures import FormData, Headers, MutableHeaders, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lungcare.problem import RequestError
from lungcare.rates import Rates

FORM_BYTES = 65_536
_FLAGS = {"true": "true", "1": "true", "false": "false", "0": "false", "": "false"}
_DRAIN_SECONDS = 10
# How the parser begins to say that a form holds more than it was told to take.
_LIMIT_MESSAGES = ("Too many", "Part exceeded")


@dataclass(frozen=True)
class FilmForm:
    """The form of one route. field: the file field. films: how many it may hold at most. flags: its yes-or-no fields.

    max_bytes: the largest body. too_large: the code for one that is larger.
    """

    field: str
    films: int
    max_bytes: int
    flags: tuple[str, ...] = ()
    too_large: str = "file_too_large"

    @property
    def size_error(self) -> RequestError:
        """What is raised for a body that is too large."""
        return RequestError(self.too_large, megabytes=(self.max_bytes - FORM_BYTES) / 1e6)

    def count_error(self, count: int | str) -> RequestError:
        """What is raised for more films than it may hold."""
        code = "several_films" if self.films == 1 else "too_many_films"
        return RequestError(code, field=self.field, count=count, limit=self.films)


class Forms:
    """ASGI middleware.

    forms: the form of each route that takes films. other: stands for any other route, of which the body alone is
    bounded. seconds: within which a form has to come. rates: to which the films of a form are counted.
    """

    def __init__(self, app: ASGIApp, forms: dict[str, FilmForm], other: FilmForm, seconds: float, rates: Rates):
        self.app = app
        self.forms = forms
        self.other = other
        self.seconds = seconds
        self.rates = rates

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request. Raises RequestError."""
        form = self.forms.get(scope["path"], self.other) if scope["method"] == "POST" else self.other
        length = Headers(scope=scope).get("content-length", "0")
        if not length.isdecimal() or int(length) > form.max_bytes:
            raise form.size_error
        body = Body(receive, form.max_bytes)
        if form is self.other:
            return await self._bounded(scope, body, send)
        try:
            async with asyncio.timeout(self.seconds):
                films, flags = await _read(form, scope, body)
        except TimeoutError as error:
            raise RequestError("slow_request", seconds=self.seconds) from error
        if len(films) > self.rates.most:
            raise RequestError("too_many_films", field=form.field, count=len(films), limit=self.rates.most)
        self.rates.charge(scope, len(films))
        scope, receive = _rebuilt(scope, form.field, films, flags)
        del films  # what the app has read is held here no more
        await self.app(scope, receive, send)

    async def _bounded(self, scope: Scope, body: "Body", send: Send) -> None:
        """Run the app on a body that may turn out too large; its own answer then no longer matters."""
        is_answering = False

        async def wrapped(message: Message) -> None:
            nonlocal is_answering
            if is_answering or not body.is_too_large:
                is_answering = True
                await send(message)

        try:
            await self.app(scope, body.receive, wrapped)
        except Exception:  # whatever the app makes of a body that was cut off; anything else goes on
            if is_answering or not body.is_too_large:
                raise
        if body.is_too_large and not is_answering:
            raise self.other.size_error


class InMemoryParser(MultiPartParser):
    """Reads a form and writes no film to the disk: what is larger than the limit never comes this far."""

    spool_max_size = 2**40
    _is_open = False

    async def parse(self) -> FormData:
        """The fields of the form. Raises MultiPartException when it was cut off, for it may lack films."""
        form = await super().parse()
        if self._is_open:
            raise MultiPartException("The form ends before the boundary that closes it.")
        return form

    def on_part_begin(self) -> None:
        """A field begins."""
        super().on_part_begin()
        # Whatever the sender names: there are charsets whose text cannot be written down, or takes long to decode.
        self._charset = "utf-8"
        self._is_open = True

    def on_end(self) -> None:
        """The boundary that closes the form has come."""
        super().on_end()
        self._is_open = False


class Body:
    """The body of one request, counted while it is read. limit: bytes after which it counts as too large.

    is_gone: whether its sender has gone.
    """

    def __init__(self, receive: Receive, limit: int):
        self._receive = receive
        self._limit = limit
        self._count = 0
        self._ended = False
        self.is_gone = False

    @property
    def is_too_large(self) -> bool:
        """Whether more came than the limit."""
        return self._count > self._limit

    async def receive(self) -> Message:
        """The next message; where the body grows too large, as though the sender had gone."""
        message = await self._receive()
        self._count += len(message.get("body", b""))
        self.is_gone = message["type"] == "http.disconnect"
        self._ended = self.is_gone or not message.get("more_body", False)
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
        try:
            async with asyncio.timeout(_DRAIN_SECONDS):
                while not self._ended and not self.is_too_large:
                    await self.receive()
        except TimeoutError:
            return


async def _read(form: FilmForm, scope: Scope, body: Body) -> tuple[list[bytes], dict[str, str]]:
    """The films of a form, and its flags as true or false. Raises RequestError."""
    headers = Headers(scope=scope)
    content_type = headers.get("content-type", "").lower()
    if not content_type.startswith("multipart/form-data"):
        raise RequestError("not_multipart" if content_type else "no_film", field=form.field)
    # One more than is taken, so that one too many can be said; other files and fields are few.
    parser = InMemoryParser(headers, body.stream(), max_files=form.films + 8, max_fields=8, max_part_size=FORM_BYTES)
    try:
        parsed = await parser.parse()
    except (MultiPartException, ValueError, LookupError) as error:
        if body.is_too_large:
            raise form.size_error from error
        if str(error).startswith(_LIMIT_MESSAGES):
            count = sum(name == form.field and isinstance(value, UploadFile) for name, value in parser.items)
            if count > form.films:
                raise form.count_error(f"{count}+") from error
            raise RequestError("request_too_large") from error
        raise RequestError("damaged_request", field=form.field) from error
    if body.is_too_large:
        raise form.size_error
    return await _films(form, parsed), _flags(form, parsed)


async def _films(form: FilmForm, parsed: FormData) -> list[bytes]:
    films = [value for value in parsed.getlist(form.field) if isinstance(value, UploadFile)]
    others = sorted(set(parsed) - {form.field, *form.flags})
    if not films:
        names = ", ".join(others)[:80]
        raise RequestError("wrong_field" if others else "no_film", field=form.field, received=names)
    if len(films) > form.films:
        raise form.count_error(len(films))
    return [await film.read() for film in films]


def _flags(form: FilmForm, parsed: FormData) -> dict[str, str]:
    flags = {}
    for name in set(form.flags) & set(parsed):
        value = parsed[name]
        if not isinstance(value, str) or value.lower() not in _FLAGS:
            raise RequestError("wrong_value", field=name)
        flags[name] = _FLAGS[value.lower()]
    return flags


def _rebuilt(scope: Scope, field: str, films: list[bytes], flags: dict[str, str]) -> tuple[Scope, Receive]:
    """A request like this one whose body is a form with these films and flags, and nothing else."""
    boundary = uuid4().hex
    pieces = []
    for film in films:
        head = f'Content-Disposition: form-data; name="{field}"; filename="{field}"'
        pieces += [f"--{boundary}\r\n{head}\r\nContent-Type: application/octet-stream\r\n\r\n".encode(), film, b"\r\n"]
    for name, value in flags.items():
        head = f'Content-Disposition: form-data; name="{name}"'
        pieces.append(f"--{boundary}\r\n{head}\r\n\r\n{value}\r\n".encode())
    pieces.append(f"--{boundary}--\r\n".encode())
    scope = {**scope, "headers": list(scope["headers"])}
    headers = MutableHeaders(scope=scope)
    headers["content-type"] = f"multipart/form-data; boundary={boundary}"
    headers["content-length"] = str(sum(map(len, pieces)))
    del headers["transfer-encoding"]
    pieces.reverse()

    async def receive() -> Message:
        if not pieces:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": pieces.pop(), "more_body": bool(pieces)}

    return scope, receive
