"""The guard alone, before a small app of our own."""

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from lungcare.guard import FORM_BYTES, Guard

LIMIT = 1000


async def _echo(request: Request) -> JSONResponse:
    form = await request.form()
    return JSONResponse({name: (await value.read()).decode() for name, value in form.items()})


async def _broken(request: Request) -> JSONResponse:
    return JSONResponse({"trace": "secret"}, 500, {"X-BentoML-Request-ID": "abc"})


async def _length(request: Request) -> JSONResponse:
    return JSONResponse(len(await request.body()))


def _client(route=_echo) -> TestClient:
    app = Starlette(routes=[Route("/classify", route, methods=["POST"]), Route("/other", _length, methods=["POST"])])
    return TestClient(Guard(app, path="/classify", max_bytes=LIMIT, model="phantom:0.0.1"))


def test_the_route_gets_the_film_alone():
    files = [("film", ("a.png", b"bytes", "image/png")), ("other", ("b.png", b"more", "image/png"))]
    assert _client().post("/classify", files=files, data={"note": "x"}).json() == {"film": "bytes"}


def test_our_failure_is_answered_plainly():
    answer = _client(_broken).post("/classify", files={"film": b"x"})
    assert answer.status_code == 500
    assert answer.json()["code"] == "internal_error"
    assert answer.json()["request_id"] == "abc"
    assert "abc" in answer.json()["advice"]
    assert "secret" not in answer.text


@pytest.mark.parametrize("path", ["/classify", "/other"])
@pytest.mark.parametrize("is_chunked", [False, True])
def test_every_body_is_bounded(path, is_chunked):
    data = bytes(LIMIT + FORM_BYTES + 1)
    headers = {"content-type": "multipart/form-data; boundary=b"}
    pieces = iter([data[:500], data[500:]]) if is_chunked else data
    answer = _client().post(path, content=pieces, headers=headers)
    assert answer.status_code == 413
    assert answer.json()["code"] == "file_too_large"


def test_a_body_within_the_limit_passes():
    assert _client().post("/other", content=bytes(LIMIT)).json() == LIMIT


def test_every_answer_carries_the_security_headers():
    for path in ("/other", "/nowhere"):
        assert _client().post(path).headers["x-content-type-options"] == "nosniff"
