"""The page without a browser."""

import gradio as gr
import pytest
import requests

import gradio_app
from lungcare.examples import examples
from lungcare.settings import Settings
from tests import phantom


class BrokenReader:
    """A reader with a fault of our own."""

    tag = "phantom:0.0.1"
    settings = Settings()

    def __init__(self, bundle):
        self.bundle = bundle

    def read(self, data, language):
        raise RuntimeError("secret")


@pytest.fixture
def words():
    return gr.I18n(en={}, id={})


def test_a_fault_of_ours_is_said_plainly_and_logged(reader, words, caplog):
    page = gradio_app.Page(BrokenReader(reader.bundle), words)
    html = page._answer(phantom.film(), "en")
    assert 'data-code="internal_error"' in html
    assert "secret" not in html
    request_id = caplog.records[-1].args[0]
    assert request_id in html
    assert "secret" in caplog.text


def test_an_address_in_place_of_a_file_is_never_fetched(server):
    address = {"path": "https://example.org/film.png", "meta": {"_type": "gradio.FileData"}}
    call = requests.post(server.url + "/ui/gradio_api/call/read", json={"data": [address]}, timeout=30)
    assert call.ok
    event = call.json()["event_id"]
    answer = requests.get(f"{server.url}/ui/gradio_api/call/read/{event}", timeout=30).text
    assert "event: error" in answer
    assert "not an address" in server.log.read_text() + answer


def test_nothing_of_examples_is_shown_where_there_are_none(reader, words):
    page = gradio_app.Page(reader, words)
    assert not [block for block in page.blocks.blocks.values() if isinstance(block, gr.Button)]


def test_examples_are_one_of_each_condition_in_order(tmp_path):
    for code in ("pneumothorax", "normal"):
        (tmp_path / code).mkdir()
        for name in ("b.png", "a.png"):
            (tmp_path / code / name).write_bytes(b"")
    found = [(example.condition, example.path.name) for example in examples(tmp_path)]
    assert found == [("normal", "a.png"), ("pneumothorax", "a.png")]
