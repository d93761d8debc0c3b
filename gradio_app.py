"""The page: its screens and what they call, and nothing else."""

import asyncio
import base64
import binascii
import logging
import os
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import gradio as gr
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from jinja2 import ChoiceLoader, DictLoader, FileSystemLoader
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

from lungcare import batch, markup, monitor, preview, screens, trace
from lungcare.api import PAGE, PAGES, Failure
from lungcare.calls import Calls
from lungcare.examples import Example, examples
from lungcare.film import Radiograph, decode
from lungcare.forms import FORM_BYTES, InMemoryParser
from lungcare.gate import righted
from lungcare.quality import quality
from lungcare.reader import Reader
from lungcare.reading import FilmError, Reading, Refusal
from lungcare.report import report
from lungcare.words import LANGUAGES, say

PICTURE_SIDE = 1280
FORGET_AFTER_SECONDS = 60
DOCUMENT = "frontend/index.html"  # of Gradio's templates
# What the page and gradio_client get of Gradio's own routes. Others would fetch addresses that a sender names, write
# films to the disk and leave them there, or wait without end.
OPEN = re.compile(r"/?|/config|/theme\.css|/(assets|static)/.+|/gradio_api/info")

logger = logging.getLogger("lungcare.page")


def mount(app: FastAPI, reader: Reader) -> "Page":
    """Put the page into an app, at /ui. Both are served by the same process, and read with the same reader."""
    page = Page(reader)
    app.add_api_route(f"{PAGE}/gradio_api/queue/join", page.calls.join, methods=["POST"])
    app.add_api_route(f"{PAGE}/gradio_api/queue/data", page.calls.data, methods=["GET"])
    for place in ("component_server", "component_server/"):
        app.add_api_route(f"{PAGE}/gradio_api/{place}", page.answer, methods=["POST"])
    folder = Path(gr.routes.STATIC_TEMPLATE_LIB)
    document = screens.document((folder / DOCUMENT).read_text(encoding="utf-8"))
    gr.routes.templates.env.loader = ChoiceLoader([DictLoader({DOCUMENT: document}), FileSystemLoader(folder)])
    gr.mount_gradio_app(
        app,
        page.blocks,
        path=PAGE,
        app_kwargs={"middleware": [Middleware(_chosen)]},
        root_path=f"{reader.settings.root_path}{PAGE}",
        theme=gr.themes.Base(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]),
        max_file_size=reader.settings.max_bytes,
        footer_links=[],
        run_history=False,
        show_error=False,
        ssr_mode=False,
        pwa=False,
        enable_monitoring=False,
        mcp_server=False,
    )
    return page


@dataclass(frozen=True)
class Sent:
    """What a function of the page is sent: a film, or in the values the number of an example. Nothing of it is kept."""

    film: bytes | None = None
    values: dict[str, str] = field(default_factory=dict)


class Page:
    """All screens as one component of Gradio, and the three functions that they call."""

    def __init__(self, reader: Reader):
        self.reader = reader
        self.quality = quality(reader.bundle.card)
        self.examples = examples(reader.bundle, reader.settings.examples)
        self._functions = {"read": self.read, "row": self.row, "picture": self.picture}
        self.calls = Calls(partial(self._called, self.classify), FORGET_AFTER_SECONDS, reader.settings.max_concurrency)
        # No more films are decoded at once than the settings say.
        self._threads = ThreadPoolExecutor(reader.settings.threads)
        forget = (FORGET_AFTER_SECONDS, FORGET_AFTER_SECONDS)
        with gr.Blocks(title="LungCare", analytics_enabled=False, delete_cache=forget, fill_width=True) as self.blocks:
            gr.HTML(
                screens.linked(screens.page(reader.bundle.card, self.examples, reader.settings), reader.settings),
                js_on_load=(PAGES / "page.js").read_text(encoding="utf-8"),
                apply_default_css=False,
            )
            gr.api(self.classify, api_name="classify")

    async def answer(self, request: Request) -> Response:
        """Call the function that the page asks for, without a film on the disk."""
        parser = InMemoryParser(request.headers, request.stream(), max_files=1, max_fields=8, max_part_size=FORM_BYTES)
        try:
            form = await parser.parse()
            function = self._functions[str(form["fn_name"])]
        except (MultiPartException, LookupError, ValueError):
            return Response(status_code=400)
        film = form.get("film")
        values = {name: value for name, value in form.items() if isinstance(value, str)}
        sent = Sent(await film.read() if isinstance(film, UploadFile) else None, values)
        try:
            return JSONResponse(await self._called(function, sent))
        except ValueError:
            return Response(status_code=422)

    async def _called(self, function: Callable[..., Any], *values: Any) -> Any:
        """Call a function once one of the page's own threads is free; a film that waits for one takes no other."""
        context = copy_context()
        return await asyncio.get_running_loop().run_in_executor(self._threads, context.run, function, *values)

    def classify(self, film: str, language: str = LANGUAGES[0]) -> dict:
        """Read a film for programs that call the page with gradio_client. film: its bytes in base64."""
        chosen = language if language in LANGUAGES else LANGUAGES[0]

        def answer() -> dict[str, Any]:
            try:
                data = base64.b64decode(film, validate=True)
            except (binascii.Error, ValueError):
                return self.reader.refuse(FilmError("damaged_file"), chosen).model_dump()
            return monitor.counted("gradio_client", lambda: self.reader.read(data, chosen)).model_dump()

        return self._safely(answer, lambda failures: failures[chosen].model_dump())

    def read(self, sent: Sent) -> dict[str, Any]:
        """Read a film: the HTML of the result, one line to be spoken, and the reading as data."""

        def answer() -> dict[str, Any]:
            data = self._film(sent)
            start = time.perf_counter()
            reading, map_picture = self._judged(data)
            seconds = time.perf_counter() - start
            if not isinstance(reading, Reading):
                return {"html": markup.refusal(reading), "spoken": "", "reading": None}
            picture = preview.jpeg(self._radiograph(data, reading), PICTURE_SIDE)
            return {
                "html": screens.linked(
                    markup.reading(reading, picture, seconds, self.quality, map_picture, self._is_synthetic(sent)),
                    self.reader.settings,
                ),
                "spoken": markup.spoken(reading),
                "reading": reading.model_dump(),
            }

        return self._safely(answer, lambda failures: {"html": markup.failure(failures), "spoken": "", "reading": None})

    def row(self, sent: Sent) -> dict[str, Any]:
        """Read one film of several: its cells in the page's table, and its row of CSV after the name of the file."""

        def answer() -> dict[str, Any]:
            reading, _ = self._judged(self._film(sent))
            result = reading if isinstance(reading, Reading) else reading[LANGUAGES[0]]
            return {"cells": markup.cells(reading), "row": batch.table_row("", result)[1:]}

        def failed(failures: dict[str, Failure]) -> dict[str, Any]:
            code = failures[LANGUAGES[0]].code
            row = ["failed", code, *[""] * (len(batch.COLUMNS) - 4), self.reader.tag]
            return {"cells": markup.cells(failures), "row": row}

        return self._safely(answer, failed)

    def picture(self, sent: Sent) -> str:
        """The picture of a film's reading to save: a PNG in base64. Raises ValueError for what cannot be read."""
        data = self._film(sent)
        reading, _ = self._judged(data, is_counted=False)
        if not isinstance(reading, Reading):
            raise ValueError("there is no picture of a refusal")
        radiograph = self._radiograph(data, reading)
        language = sent.values.get("language")
        day = _day(sent.values.get("date", ""))
        chosen = language if language in LANGUAGES else LANGUAGES[0]
        return base64.b64encode(
            report(reading, radiograph, self.quality, day, chosen, self._is_synthetic(sent))
        ).decode()

    def _film(self, sent: Sent) -> bytes:
        """The bytes of the film that was sent, or of the example that was chosen."""
        example = self._example(sent)
        return example.path.read_bytes() if example else sent.film or b""

    def _example(self, sent: Sent) -> Example | None:
        """The example that was chosen; None where a film was sent, and for one that is not there."""
        numbered = {str(number): example for number, example in enumerate(self.examples)}
        return numbered.get(sent.values.get("example", "")) if sent.film is None else None

    def _is_synthetic(self, sent: Sent) -> bool:
        example = self._example(sent)
        return example is not None and example.is_synthetic

    def _radiograph(self, data: bytes, reading: Reading) -> Radiograph:
        """The film as it was read."""
        return righted(decode(data, self.reader.settings.max_pixels), reading.corrections)

    def _judged(self, data: bytes, is_counted: bool = True) -> tuple[Reading | dict[str, Refusal], bytes | None]:
        """The reading of a film, or its refusal in every language, and the picture of where the network looked."""
        refusals, map_picture = {}, None

        def read() -> Reading | Refusal:
            nonlocal refusals, map_picture
            try:
                answer, map_picture = self.reader.look(data)
            except FilmError as error:
                refusals = {code: self.reader.refuse(error, code) for code in LANGUAGES}
                return refusals[LANGUAGES[0]]
            return answer

        answer = monitor.counted("page", read) if is_counted else read()
        return refusals or answer, map_picture

    def _safely(self, answer: Callable[[], dict], failed: Callable[[dict[str, Failure]], dict]) -> dict[str, Any]:
        """The answer; or, where something of ours went wrong, what `failed` makes of that, and the cause in the log."""
        try:
            return answer()
        except Exception:  # whatever it is: the cause into the log, a sentence and no stack trace to the visitor
            open_trace = trace.current()
            request_id = open_trace.request_id if open_trace else uuid4().hex[:16]
            logger.exception("Request %s failed", request_id)
            return failed({language: _failure(request_id, language) for language in LANGUAGES})


def _failure(request_id: str, language: str) -> Failure:
    return Failure(
        message=say("failure.message", language),
        advice=say("failure.advice", language, request_id=request_id),
        request_id=request_id,
    )


def _day(text: str) -> date:
    """The visitor's own day, so that a picture saved at night is not dated a day early; else the server's."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        return date.today()


def _chosen(app: ASGIApp) -> ASGIApp:
    """Gradio's app with the routes of OPEN alone."""

    async def answered(scope: Scope, receive: Receive, send: Send) -> None:
        is_open = OPEN.fullmatch(scope["path"].removeprefix(scope["root_path"]))
        await (app if is_open else Response(status_code=404))(scope, receive, send)

    return answered
