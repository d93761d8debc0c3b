"""What a visitor sent is gone from the memory of the server, in the time that is promised and before."""

import asyncio
import base64
import gc
import time

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

import gradio_app
from lungcare.calls import Calls
from tests import phantom

PROMISED_SECONDS = 15 * 60


@pytest.fixture(scope="module")
def visited(reader):
    """The page in this process, and a function that counts the objects that hold a film."""
    app = FastAPI(openapi_url=None)
    page = gradio_app.mount(app, reader)
    with TestClient(app) as client:
        yield client, page


def holders(*films: bytes | str) -> int:
    """How many lists, dictionaries and other containers hold an equal copy of a film, those of the test aside."""
    gc.collect()
    ids = {id(film) for film in films}
    return sum(
        held in films and id(held) not in ids
        for container in gc.get_objects()
        for held in gc.get_referents(container)
        if isinstance(held, bytes | str) and len(held) > 1000
    )


def test_a_film_from_the_page_is_held_by_nothing_afterwards(visited):
    client, page = visited
    film = phantom.film("pneumonia", 61)
    form = {"fn_name": "read", "session_hash": "visitor"}
    answer = client.post("/ui/gradio_api/component_server/", data=form, files={"film": film})
    assert answer.json()["reading"]
    assert "visitor" not in page.blocks.state_holder.session_data
    assert holders(film) == 0


def test_a_film_from_a_program_is_held_by_nothing_afterwards(visited):
    client, page = visited
    film = base64.b64encode(phantom.film("pneumonia", 62)).decode()
    join = {"data": [film, "en"], "fn_index": 0, "session_hash": "program"}
    assert client.post("/ui/gradio_api/queue/join", json=join).status_code == 200
    events = client.get("/ui/gradio_api/queue/data", params={"session_hash": "program"}).text
    assert '"outcome": "read"' in events
    assert events.rstrip().endswith('{"msg": "close_stream", "event_id": null}')
    assert not page.calls.waiting
    assert "program" not in page.blocks.state_holder.session_data
    assert holders(film) == 0


def test_an_answer_that_nobody_fetches_is_forgotten_after_the_time():
    async def read(film: str) -> dict:
        return {"outcome": "read"}

    calls = Calls(read, seconds=0.2, most=1)
    app = FastAPI()
    app.add_api_route("/join", calls.join, methods=["POST"])
    with TestClient(app) as client:
        assert client.post("/join", json={"data": ["x"], "session_hash": "s"}).status_code == 200
        assert calls.waiting
        assert client.post("/join", json={"data": ["x"], "session_hash": "t"}).status_code == 503
        time.sleep(0.4)
        assert not calls.waiting
        assert client.post("/join", json={"data": ["x"], "session_hash": "t"}).status_code == 200


def test_a_call_counts_until_it_has_ended_and_its_time_begins_then():
    ends = asyncio.Event()

    async def read(film: str) -> dict:
        await ends.wait()
        return {"outcome": "read"}

    async def end() -> None:
        ends.set()

    calls = Calls(read, seconds=0.4, most=1)
    app = FastAPI()
    app.add_api_route("/join", calls.join, methods=["POST"])
    app.add_api_route("/data", calls.data)
    app.add_api_route("/end", end)
    call = {"data": ["x"], "session_hash": "s"}
    with TestClient(app) as client:
        assert client.post("/join", json=call).status_code == 200
        time.sleep(0.6)
        assert client.post("/join", json=call).status_code == 503
        client.get("/end")
        assert '"outcome": "read"' in client.get("/data", params={"session_hash": "s"}).text
        assert client.post("/join", json=call).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"[]", b"{}", b'{"data": 1, "session_hash": "s"}', b'{"data": [], "session_hash": "s"}'),
        *(b'{"data": ["x", "y", "z"], "session_hash": "s"}', b'{"data": [1], "session_hash": "s"}', b"\xff"),
        *(b"[" * 200_000, b'{"data": ["x"], "session_hash": "s", "more": [' + b"0," * 200 + b"0]}"),
    ],
    ids=lambda body: repr(body[:50]),
)
def test_what_is_no_call_is_refused(visited, body):
    client, _ = visited
    headers = {"content-type": "application/json"}
    assert client.post("/ui/gradio_api/queue/join", content=body, headers=headers).status_code == 400


def test_the_time_is_within_the_promise():
    assert gradio_app.FORGET_AFTER_SECONDS < PROMISED_SECONDS
