"""The page: its screens and events, and nothing else."""

import logging
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import gradio as gr
from fastapi import FastAPI

from lungcare import markup, preview
from lungcare.api import PAGE, PAGES, Failure
from lungcare.examples import Example, examples
from lungcare.film import decode
from lungcare.language import preferred
from lungcare.reader import Reader
from lungcare.reading import Refusal
from lungcare.words import LANGUAGES, say, sentences

PICTURE_SIDE = 640
THUMBNAIL_SIDE = 240
FORGET_AFTER_SECONDS = 600

logger = logging.getLogger("lungcare.page")


def mount(app: FastAPI, reader: Reader) -> None:
    """Put the page into an app, at /ui. Both are served by the same process, and read with the same reader."""
    words = gr.I18n(**{language: sentences(language) for language in LANGUAGES})
    gr.mount_gradio_app(
        app,
        Page(reader, words).blocks.queue(default_concurrency_limit=reader.settings.threads, max_size=64),
        path=PAGE,
        theme=_theme(),
        css=(PAGES / "page.css").read_text(encoding="utf-8"),
        i18n=words,
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
    """One screen: a film goes in on the left, its reading stands on the right.

    words: the sentences of lungcare.words, which the browser chooses by its language.
    """

    def __init__(self, reader: Reader, words: gr.I18n):
        self.reader = reader
        self.words = words
        offered = examples(reader.settings.examples or reader.bundle.folder / "examples")
        forget = (FORGET_AFTER_SECONDS, FORGET_AFTER_SECONDS)
        with gr.Blocks(title="LungCare", analytics_enabled=False, delete_cache=forget) as self.blocks:
            gr.Markdown("# LungCare")
            gr.Markdown(words("page.about"))
            gr.Markdown(words("notice"), elem_id="lc-notice")
            with gr.Row():
                with gr.Column(scale=2, min_width=280):
                    film = never_fetching(gr.File(label=words("page.film"), type="filepath", height=190))
                    gr.Markdown(words("page.formats"), elem_id="lc-formats")
                with gr.Column(scale=3, min_width=280):
                    result = gr.HTML(elem_id="lc-result")
            buttons = self._example_buttons(offered) if offered else []
            gr.Markdown(words("page.help"), elem_id="lc-help")

            film.upload(self.read_upload, film, [result, film], api_name="read", show_progress_on=result)
            for button, example in zip(buttons, offered, strict=True):
                button.click(self._example_reader(example), None, result, show_progress_on=result, api_name=False)
            self.blocks.load(self.greet, None, result, show_progress="hidden", queue=False, api_name=False)

    def greet(self, request: gr.Request) -> str:
        """What stands in the place of the reading before there is one."""
        return markup.waiting(_language(request))

    def read_upload(self, path: str | None, request: gr.Request) -> tuple[str, None]:
        """Read the film that was sent and delete its file; the place for files is free for the next one."""
        if path is None:
            return self.greet(request), None
        data = Path(path).read_bytes()
        Path(path).unlink()
        return self._answer(data, _language(request)), None

    def _example_buttons(self, offered: list[Example]) -> list[gr.Button]:
        """One button with a picture for each example."""
        gr.Markdown(self.words("page.examples"))
        with tempfile.TemporaryDirectory() as folder, gr.Row(elem_id="lc-examples"):
            buttons = []
            for number, example in enumerate(offered):
                icon = Path(folder) / f"{number}.jpg"
                icon.write_bytes(preview.jpeg(decode(example.path.read_bytes()), THUMBNAIL_SIDE))
                label = self.words(f"condition.{example.condition}")
                buttons.append(gr.Button(label, icon=icon, elem_classes="lc-example"))
        return buttons

    def _example_reader(self, example: Example) -> Callable[[gr.Request], str]:
        """What a click on an example does: it is read like any other film."""

        def read_example(request: gr.Request) -> str:
            return self._answer(example.path.read_bytes(), _language(request))

        return read_example

    def _answer(self, data: bytes, language: str) -> str:
        """The reading of a film as HTML, or why there is none."""
        try:
            answer = self.reader.read(data, language)
            if isinstance(answer, Refusal):
                return markup.refusal(answer, language)
            picture = preview.jpeg(decode(data, self.reader.settings.max_pixels), PICTURE_SIDE)
            return markup.reading(answer, picture, language)
        except Exception:
            request_id = uuid4().hex[:16]
            logger.exception("Request %s failed", request_id)
            advice = say("failure.advice", language, request_id=request_id)
            answer = Failure(message=say("failure.message", language), advice=advice, request_id=request_id)
            return markup.failure(answer, language)


def never_fetching(place: gr.File) -> gr.File:
    """The same place for a file, which takes what a browser sends and refuses to fetch an address in its stead."""
    take = place.async_move_resource_to_block_cache

    async def take_upload(resource: str | Path | None) -> str | None:
        if str(resource).startswith(("http:", "https:")):
            raise gr.Error("Send a file, not an address.", print_exception=False)
        return await take(resource)

    place.async_move_resource_to_block_cache = take_upload
    return place


def _language(request: gr.Request) -> str:
    return preferred(request.headers.get("accept-language"))


def _theme() -> gr.Theme:
    """Calm, and in the fonts that the reader's system has."""
    return gr.themes.Soft(
        primary_hue="sky",
        neutral_hue="slate",
        font=["system-ui", "sans-serif"],
        font_mono=["ui-monospace", "monospace"],
    )
