"""The page: its screens and what they call, and nothing else."""

import base64
import logging
import os
import threading
import time
from collections.abc import Callable
from datetime import date
from functools import wraps
from typing import Any
from uuid import uuid4

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import gradio as gr
from fastapi import FastAPI, Response
from gradio.data_classes import DataWithFiles

from lungcare import batch, markup, preview, screens
from lungcare.api import PAGE, PAGES, Failure
from lungcare.examples import examples
from lungcare.film import decode
from lungcare.quality import quality
from lungcare.reader import Reader
from lungcare.reading import Reading, Refusal
from lungcare.report import report
from lungcare.words import LANGUAGES, say

PICTURE_SIDE = 1280
FORGET_AFTER_SECONDS = 60

logger = logging.getLogger("lungcare.page")


def mount(app: FastAPI, reader: Reader) -> None:
    """Put the page into an app, at /ui. Both are served by the same process, and read with the same reader."""
    # Films come to the page's own functions, in memory; Gradio's route that would write them to the disk is closed.
    app.add_api_route(f"{PAGE}/gradio_api/upload", _closed, methods=["POST"])
    gr.mount_gradio_app(
        app,
        Page(reader).blocks,
        path=PAGE,
        theme=gr.themes.Base(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]),
        head=screens.head(),
        max_file_size=reader.settings.max_bytes,
        footer_links=[],
        run_history=False,
        show_error=False,
        ssr_mode=False,
        pwa=False,
        enable_monitoring=False,
        mcp_server=False,
    )


class Page:
    """All screens as one component of Gradio, and the three functions that they call.

    What a function is sent holds a film in `files`, or the number of an example in `data`; nothing of it is kept.
    """

    def __init__(self, reader: Reader):
        self.reader = reader
        self.quality = quality(reader.bundle.card)
        self.examples = examples(reader.settings.examples or reader.bundle.folder / "examples")
        self._places = threading.BoundedSemaphore(reader.settings.threads)
        forget = (FORGET_AFTER_SECONDS, FORGET_AFTER_SECONDS)
        with gr.Blocks(title="LungCare", analytics_enabled=False, delete_cache=forget, fill_width=True) as self.blocks:
            gr.HTML(
                screens.page(reader.bundle.card, self.examples, reader.settings),
                js_on_load=(PAGES / "page.js").read_text(encoding="utf-8"),
                apply_default_css=False,
                server_functions=[_served(self.read), _served(self.row), _served(self.picture)],
            )

    def read(self, sent: DataWithFiles) -> dict[str, Any]:
        """Read a film: the HTML of the result, one line to be spoken, and the reading as data."""

        def answer() -> dict[str, Any]:
            data = self._film(sent)
            start = time.perf_counter()
            reading = self._judged(data)
            seconds = time.perf_counter() - start
            if not isinstance(reading, Reading):
                return {"html": markup.refusal(reading), "spoken": "", "reading": None}
            picture = preview.jpeg(decode(data, self.reader.settings.max_pixels), PICTURE_SIDE)
            return {
                "html": markup.reading(reading, picture, seconds, self.quality),
                "spoken": markup.spoken(reading),
                "reading": reading.model_dump(),
            }

        return self._safely(answer, lambda failures: {"html": markup.failure(failures), "spoken": "", "reading": None})

    def row(self, sent: DataWithFiles) -> dict[str, Any]:
        """Read one film of several: its cells in the page's table, and its row of CSV after the name of the file."""

        def answer() -> dict[str, Any]:
            reading = self._judged(self._film(sent))
            result = reading if isinstance(reading, Reading) else reading[LANGUAGES[0]]
            return {"cells": markup.cells(reading), "row": batch.table_row("", result)[1:]}

        def failed(failures: dict[str, Failure]) -> dict[str, Any]:
            code = failures[LANGUAGES[0]].code
            row = ["failed", code, *[""] * (len(batch.COLUMNS) - 4), self.reader.tag]
            return {"cells": markup.cells(failures), "row": row}

        return self._safely(answer, failed)

    def picture(self, sent: DataWithFiles) -> str:
        """The picture of a film's reading to save: a PNG in base64. Raises ValueError for what cannot be read."""
        data = self._film(sent)
        reading = self._judged(data)
        if not isinstance(reading, Reading):
            raise ValueError("there is no picture of a refusal")
        language = sent.data.get("language")
        day = _day(sent.data.get("date", ""))
        radiograph = decode(data, self.reader.settings.max_pixels)
        chosen = language if language in LANGUAGES else LANGUAGES[0]
        return base64.b64encode(report(reading, radiograph, self.quality, day, chosen)).decode()

    def _film(self, sent: DataWithFiles) -> bytes:
        """The bytes of the film that was sent, or of the example that was chosen."""
        if sent.files:
            return sent.files[0][1]
        if "example" in sent.data:
            return self.examples[int(sent.data["example"])].path.read_bytes()
        return b""

    def _judged(self, data: bytes) -> Reading | dict[str, Refusal]:
        """The reading of a film, or its refusal in every language. No more films at once than the settings say."""
        with self._places:
            first = self.reader.read(data, LANGUAGES[0])
            if isinstance(first, Reading):
                return first
            return {LANGUAGES[0]: first} | {code: self.reader.read(data, code) for code in LANGUAGES[1:]}

    def _safely(self, answer: Callable[[], dict], failed: Callable[[dict[str, Failure]], dict]) -> dict[str, Any]:
        """The answer; or, where something of ours went wrong, what `failed` makes of that, and the cause in the log."""
        try:
            return answer()
        except Exception:
            request_id = uuid4().hex[:16]
            logger.exception("Request %s failed", request_id)
            return failed({language: _failure(request_id, language) for language in LANGUAGES})


def _served(method: Callable) -> Callable:
    """A method as the plain function that Gradio wants, which marks its functions with an attribute."""

    @wraps(method)
    def function(sent: Any) -> Any:
        return method(sent if isinstance(sent, DataWithFiles) else DataWithFiles(data={}, files=[]))

    return function


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


def _closed() -> Response:
    return Response(status_code=404)
