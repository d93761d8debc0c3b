"""The guard alone, before a small app of our own."""

import asyncio
import base64
import json
import logging
import threading
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, StreamingResponse
from starlette.routing import Route
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from lungcare import problem
from lungcare.forms import FORM_BYTES
from lungcare.guard import guarded
from lungcare.log import JsonFormatter
from lungcare.settings import Settings
from lungcare.words import LANGUAGES, sentences

LIMIT = 1000
KEY, OTHER_KEY = "a-key-of-a-program", "a-key-of-another-one"
FILM = {"film": b"bytes"}


async def _echo(request: Request) -> JSONResponse:
    form = await request.form()
    return JSONResponse([[name, (await value.read()).decode()] for name, value in form.multi_items()])


async def _broken(request: Request) -> JSONResponse:
    await request.body()
    return JSONResponse({"trace": "secret"}, 500)


async def _raising(request: Request) -> JSONResponse:
    raise RuntimeError("secret")


async def _slow(request: Request) -> JSONResponse:
    await asyncio.sleep(0.5)
    return JSONResponse("late")


async def _length(request: Request) -> JSONResponse:
    # As Gradio does: every site may call, with what its visitor is known by.
    headers = {"access-control-allow-origin": "*", "access-control-allow-credentials": "true"}
    return JSONResponse(len(await request.body()), headers=headers)


async def _where(request: Request) -> JSONResponse:
    return JSONResponse([request.url.path, request.client.host])


async def _not_ready(request: Request) -> JSONResponse:
    return JSONResponse("secret", 503)


async def _away(request: Request) -> RedirectResponse:
    return RedirectResponse("/ui")


def client(route=_echo, batch=_echo, **settings) -> TestClient:
    routes = [
        Route("/classify", route, methods=["POST"]),
        Route("/classify_batch", batch, methods=["POST"]),
        Route("/other", _length, methods=["POST"]),
        Route("/where", _where),
        Route("/ui/page", _where),
        Route("/livez", _where),
        Route("/readyz", _not_ready),
        Route("/", _away),
    ]
    app = Starlette(routes=routes)
    settings = {"max_bytes": LIMIT, "max_batch_bytes": 4 * LIMIT, **settings}
    guard = guarded(app, Settings(**settings), "phantom:0.0.1")
    return TestClient(guard, follow_redirects=False, raise_server_exceptions=False)


def assert_problem(answer, status: int, code: str) -> None:
    body = answer.json()
    assert (answer.status_code, body["code"]) == (status, code)
    assert answer.headers["content-type"] == problem.MEDIA_TYPE
    assert (body["status"], body["detail"]) == (status, body["message"])
    assert body["type"].endswith(f"/docs#{code}")
    assert body["request_id"] == answer.headers["x-request-id"]
    assert body["model"] == "phantom:0.0.1"
    assert "secret" not in answer.text


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_code_has_its_sentences(language):
    for code in problem.STATUS_BY_CODE:
        for part in ("message", "advice"):
            assert sentences(language)[f"refusal.{code}.{part}"].endswith(".")


def test_the_route_gets_the_film_alone():
    files = [("film", ("a.png", b"bytes", "image/png")), ("other", ("b.png", b"more", "image/png"))]
    assert client().post("/classify", files=files, data={"note": "x"}).json() == [["film", "bytes"]]


def test_a_batch_may_be_far_larger_than_a_film():
    films = [("films", (str(number), b"x" * 30_000)) for number in range(20)]
    answer = client(max_batch_bytes=600_000).post("/classify_batch", files=films)
    assert [len(film) for _, film in answer.json()] == [30_000] * 20


def test_films_are_held_once_until_they_are_handed_on_and_then_no_more():
    size = 4_000_000
    data = b'--b\r\nContent-Disposition: form-data; name="films"; filename="x"\r\n\r\n' + bytes(size) + b"\r\n--b--\r\n"
    held = []

    async def route(request: Request) -> JSONResponse:
        held.append(tracemalloc.get_traced_memory()[0])
        async for _ in request.stream():
            pass
        held.append(tracemalloc.get_traced_memory()[0])
        return JSONResponse("")

    headers = {"content-type": "multipart/form-data; boundary=b"}
    tracemalloc.start()
    try:
        client(batch=route, max_batch_bytes=2 * size).post("/classify_batch", content=data, headers=headers)
    finally:
        tracemalloc.stop()
    assert [round(count / size, 1) for count in held] == [1, 0]


def test_a_form_without_its_end_is_damaged_and_no_film_of_it_is_read():
    parts = b"".join(
        b'--b\r\nContent-Disposition: form-data; name="films"; filename="x"\r\n\r\nfilm\r\n' for _ in "123"
    )
    headers = {"content-type": "multipart/form-data; boundary=b"}
    whole = client().post("/classify_batch", content=parts + b"--b--\r\n", headers=headers)
    assert whole.json() == [["films", "film"]] * 3
    for cut in (parts + b"--b", parts, parts[:-10]):
        assert_problem(client().post("/classify_batch", content=cut, headers=headers), 400, "damaged_request")


def test_a_form_that_holds_more_than_is_taken_is_not_called_damaged():
    for count in (2, 9, 10, 50):
        assert_problem(client().post("/classify", files=[("film", b"x")] * count), 400, "several_films")
    many = {str(number): "x" for number in range(9)}
    for data in (many, {"note": "x" * 70_000}):
        answer = client(max_bytes=100_000).post("/classify", files=FILM, data=data)
        assert_problem(answer, 413, "request_too_large")
    assert_problem(client().post("/classify_batch", files=[("other", b"x")] * 50), 413, "request_too_large")


@pytest.mark.parametrize("charset", ["utf-7", "unicode_escape", "raw_unicode_escape"])
def test_a_name_in_an_odd_charset_is_just_a_wrong_field(charset):
    for name in ("+2AA-", "\\ud800"):
        form = f'--b\r\nContent-Disposition: form-data; name="{name}"; filename="x"\r\n\r\nfilm\r\n--b--\r\n'
        headers = {"content-type": f"multipart/form-data; boundary=b; charset={charset}"}
        assert_problem(client().post("/classify", content=form, headers=headers), 400, "wrong_field")


def test_a_flag_is_handed_on_as_true_or_false():
    async def route(request: Request) -> JSONResponse:
        return JSONResponse((await request.form()).get("map"))

    for sent, expected in (("true", "true"), ("1", "true"), ("False", "false"), ("", "false")):
        assert client(route).post("/classify", files=FILM, data={"map": sent}).json() == expected
    assert_problem(client(route).post("/classify", files=FILM, data={"map": "x"}), 400, "wrong_value")


def test_the_batch_gets_its_films_in_order():
    films = [("films", (f"{number}.png", str(number).encode())) for number in range(32)]
    assert client().post("/classify_batch", files=films).json() == [["films", str(number)] for number in range(32)]
    assert_problem(client().post("/classify_batch", files=films + films[:1]), 413, "too_many_films")
    assert_problem(client().post("/classify_batch", files=FILM), 400, "wrong_field")
    for more in (40, 41, 100):
        answer = client().post("/classify_batch", files=[("films", b"x")] * more)
        assert_problem(answer, 413, "too_many_films")
        assert "holds 40" in answer.json()["message"]
    large = [("films", bytes(LIMIT)) for _ in range(32)]
    assert_problem(client().post("/classify_batch", files=large * 3), 413, "request_too_large")


@pytest.mark.parametrize("route", [_broken, _raising])
def test_our_failure_is_answered_plainly(route):
    answer = client(route).post("/classify", files=FILM)
    assert_problem(answer, 500, "internal_error")
    assert answer.json()["outcome"] == "failed"
    assert answer.json()["request_id"] in answer.json()["advice"]


def test_a_service_that_failed_its_check_says_that_it_is_not_ready():
    assert_problem(client().get("/readyz"), 503, "not_ready")
    assert_problem(client(root_path="/lungcare").get("/lungcare/readyz"), 503, "not_ready")


@pytest.mark.parametrize("path", ["/classify", "/other"])
@pytest.mark.parametrize("is_chunked", [False, True])
def test_every_body_is_bounded(path, is_chunked):
    data = bytes(LIMIT + FORM_BYTES + 1)
    headers = {"content-type": "multipart/form-data; boundary=b"}
    pieces = iter([data[:500], data[500:]]) if is_chunked else data
    assert_problem(client().post(path, content=pieces, headers=headers), 413, "file_too_large")


def test_a_body_within_the_limit_passes():
    assert client().post("/other", content=bytes(LIMIT)).json() == LIMIT


def test_every_answer_carries_the_security_headers():
    for path in ("/other", "/nowhere"):
        assert client().post(path).headers["x-content-type-options"] == "nosniff"


def test_what_is_not_there_is_a_problem_too():
    assert_problem(client().get("/nowhere"), 404, "not_found")
    answer = client().get("/other")
    assert_problem(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == "POST"


def test_sentences_follow_the_language():
    answer = client().get("/nowhere", headers={"accept-language": "id"})
    assert answer.json()["message"] == sentences("id")["refusal.not_found.message"]
    assert answer.headers["vary"] == "Accept-Language"


def test_a_request_keeps_its_id_where_it_may_stand_in_a_log():
    assert client().post("/other", headers={"x-request-id": "abc-1.2_3"}).headers["x-request-id"] == "abc-1.2_3"
    for wrong in ("x" * 65, "a b", "<script>"):
        assert client().post("/other", headers={"x-request-id": wrong}).headers["x-request-id"] not in (wrong, "")


def of_cors(answer) -> set[str]:
    return {name for name in answer.headers if name.startswith("access-control-")}


def test_no_other_site_may_call_unless_it_is_named():
    origin = {"origin": "https://a.example"}
    assert not of_cors(client().post("/other", headers=origin))
    named = client(cors_origins=("https://a.example",), api_keys=())
    assert named.post("/other", headers=origin).headers["access-control-allow-origin"] == "https://a.example"
    assert named.get("/nowhere", headers=origin).headers["access-control-allow-origin"] == "https://a.example"
    preflight = origin | {"access-control-request-method": "POST", "access-control-request-headers": "authorization"}
    assert named.options("/classify", headers=preflight).status_code == 200
    assert "access-control-allow-credentials" not in of_cors(named.post("/other", headers=origin))
    other = {"origin": "https://b.example"}
    assert not of_cors(named.post("/other", headers=other)) - {"access-control-expose-headers"}


# ---- keys


def keyed(**settings) -> TestClient:
    return client(**{"api_keys": f"{KEY},{OTHER_KEY}", **settings})


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"Bearer {KEY}"},
        {"authorization": f"bearer {OTHER_KEY}"},
        {"x-api-key": KEY},
        {"authorization": "Basic " + base64.b64encode(f"anybody:{KEY}".encode()).decode()},
    ],
)
def test_a_key_opens_everything(headers):
    assert keyed().post("/classify", files=FILM, headers=headers).status_code == 200
    assert keyed().get("/ui/page", headers=headers).status_code == 200


@pytest.mark.parametrize("path", ["/classify", "/ui/page", "/where", "/metrics", "/nowhere", "/UI/page", "/ui"])
def test_without_a_key_nothing_is_answered(path):
    answer = keyed().post(path, files=FILM)
    assert_problem(answer, 401, "no_key")
    assert answer.headers["www-authenticate"].startswith("Basic" if path.startswith("/ui") else "Bearer")


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"Bearer {KEY}x"},
        {"authorization": "Bearer"},
        {"x-api-key": ""},
        {"authorization": "Basic !"},
        {"authorization": b"Basic \xe9"},
        {"authorization": "Basic " + base64.b64encode(b"no colon").decode()},
    ],
)
def test_a_wrong_key_opens_nothing(headers):
    assert_problem(keyed().post("/classify", files=FILM, headers=headers), 401, "wrong_key")


def test_what_is_open_needs_no_key():
    assert keyed().get("/livez").status_code == 200
    assert keyed().get("/").status_code == 307


def test_the_page_can_be_open_while_programs_need_keys():
    opened = keyed(page_open=True)
    assert opened.get("/ui/page").status_code == 200
    assert_problem(opened.get("/uipage"), 401, "no_key")
    assert_problem(opened.post("/classify", files=FILM), 401, "no_key")


def test_many_wrong_keys_are_told_to_wait_and_lock_no_right_one_out():
    guessing = keyed()
    wrong = {"x-api-key": "wrong"}
    answers = [guessing.get("/where", headers=wrong) for _ in range(21)]
    assert [answer.status_code for answer in answers] == [401] * 20 + [429]
    assert_problem(answers[-1], 429, "too_many_wrong_keys")
    assert "wrong keys" in answers[-1].json()["message"]
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 60
    assert guessing.get("/where", headers={"x-api-key": KEY}).status_code == 200


# ---- rates, load and time


def test_each_sender_has_its_own_rate():
    limited = keyed(rate_limit="2/minute")
    one, other = {"x-api-key": KEY}, {"x-api-key": OTHER_KEY}
    assert [limited.post("/classify", files=FILM, headers=one).status_code for _ in range(2)] == [200, 200]
    answer = limited.post("/classify", files=FILM, headers=one)
    assert_problem(answer, 429, "too_many_requests")
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    assert limited.get("/where", headers=one).status_code == 200
    assert limited.post("/classify", files=FILM, headers=other).status_code == 200


def test_the_films_of_a_batch_count_each():
    limited = client(rate_limit="3/minute")
    films = [("films", b"x")] * 3
    assert limited.post("/classify_batch", files=films).status_code == 200
    assert_problem(limited.post("/classify", files=FILM), 429, "too_many_requests")


@pytest.mark.parametrize("count", [3, 6])
def test_a_batch_that_waits_as_it_is_told_is_read(monkeypatch, count):
    now = 1_000_000.0
    monkeypatch.setattr(time, "time", lambda: now)
    limited = client(rate_limit="6/minute")
    for _ in range(5):
        assert limited.post("/classify", files=FILM).status_code == 200
        now += 2
    films = [("films", b"x")] * count
    refused = [limited.post("/classify_batch", files=films) for _ in range(3)]
    for answer in refused:
        assert_problem(answer, 429, "too_many_requests")
    now += int(refused[0].headers["retry-after"]) - 2
    assert limited.post("/classify_batch", files=films).status_code == 429
    now += 2
    assert limited.post("/classify_batch", files=films).status_code == 200


def test_what_is_not_read_counts_for_nothing():
    limited = client(rate_limit="1/minute")
    assert_problem(limited.post("/classify", files={"wrong": b"x"}), 400, "wrong_field")
    assert limited.post("/classify", files=FILM).status_code == 200
    assert_problem(limited.post("/classify", files={"wrong": b"x"}), 429, "too_many_requests")
    for _ in range(2):
        assert_problem(limited.post("/ui/page"), 429, "too_many_requests")


def test_a_batch_that_no_wait_would_let_in_is_too_large():
    answer = client(rate_limit="3/minute").post("/classify_batch", files=[("films", b"x")] * 4)
    assert_problem(answer, 413, "too_many_films")
    assert "at most 3 " in answer.json()["advice"]


def test_what_takes_too_long_is_said_and_keeps_its_place():
    slow = client(_slow, timeout=0.1, max_concurrency=1)
    with slow:
        assert_problem(slow.post("/classify", files=FILM), 504, "timed_out")
        answer = slow.post("/classify", files=FILM)
        assert_problem(answer, 503, "busy")
        assert answer.headers["retry-after"].isdecimal()
        assert slow.post("/other").status_code == 200
        time.sleep(0.7)
        assert slow.post("/classify_batch", files=[("films", b"x")]).status_code == 200


def test_no_more_are_under_way_than_places():
    held, entered = threading.Event(), threading.Event()

    def route(request: Request) -> JSONResponse:
        entered.set()
        held.wait(10)
        return JSONResponse("done")

    busy = client(route, max_concurrency=1)
    with busy:
        first = threading.Thread(target=busy.post, args=("/classify",), kwargs={"files": FILM})
        first.start()
        entered.wait(10)
        assert_problem(busy.post("/classify", files=FILM), 503, "busy")
        held.set()
        first.join()
        assert busy.post("/classify", files=FILM).status_code == 200


def test_an_answer_that_is_under_way_is_never_replaced():
    async def pieces():
        yield b"begun"
        raise RuntimeError("secret")

    async def route(request: Request) -> StreamingResponse:
        await request.form()
        return StreamingResponse(pieces())

    assert "secret" not in client(route).post("/classify", files=FILM).text


# ---- behind a proxy


@pytest.mark.parametrize("path", ["/lungcare/where", "/where"])
def test_a_prefix_is_taken_off_whether_the_proxy_does_or_not(path):
    behind = client(root_path="/lungcare")
    assert behind.get(path).json()[0] == "/lungcare/where"
    assert behind.get("/lungcare").headers["location"] == "/lungcare/ui"
    assert behind.get("/nowhere").json()["type"] == "/lungcare/docs#not_found"
    assert_problem(behind.get("/lungcarewhere"), 404, "not_found")


def test_a_websocket_is_closed():
    with pytest.raises(WebSocketDisconnect) as raised, client().websocket_connect("/ui/ws"):
        pass
    assert raised.value.code == 1008


# ---- the log


def test_a_request_is_logged_without_anything_of_its_film(caplog):
    caplog.set_level(logging.INFO, "lungcare.requests")
    keyed().post("/classify?name=PLANTED", files={"film": ("PLANTED.png", b"PLANTED")}, headers={"x-api-key": KEY})
    keyed().get("/PLANTED")
    keyed().get("/livez")
    lines = [json.loads(JsonFormatter().format(record)) for record in caplog.records]
    assert [line["route"] for line in lines] == ["/classify", "other"]
    assert [line["status"] for line in lines] == [200, 401]
    assert lines[1]["code"] == "no_key"
    assert lines[0]["key"] != KEY
    assert all(line["request_id"] and "address" not in line for line in lines)
    assert "PLANTED" not in json.dumps(lines)
    assert KEY not in json.dumps(lines)
    client().request("PLANTED", "/other")
    assert "PLANTED" not in JsonFormatter().format(caplog.records[-1])
    client(log_addresses=True).post("/other")
    assert json.loads(JsonFormatter().format(caplog.records[-1]))["address"] == "testclient"


def test_what_the_page_got_has_no_line_and_what_it_was_refused_has_one(caplog):
    caplog.set_level(logging.INFO, "lungcare.requests")
    assert keyed().get("/ui/page", headers={"x-api-key": KEY}).status_code == 200
    assert not caplog.records
    assert_problem(keyed().get("/ui/page", headers={"x-api-key": "wrong"}), 401, "wrong_key")
    assert client().head("/ui/PLANTED").status_code == 404
    told = [(record.told["route"], record.told["status"], record.told["code"]) for record in caplog.records]
    assert told == [("/ui/*", 401, "wrong_key"), ("/ui/*", 404, "not_found")]


@pytest.mark.parametrize(("language", "words"), [("en", "within 0.5 seconds"), ("id", "dalam 0,5 detik")])
def test_a_request_that_comes_too_slowly_is_told_how_long_it_had(language, words):
    sent = []

    async def receive() -> dict:
        await asyncio.sleep(1)
        return {"type": "http.disconnect"}

    async def send(message: dict) -> None:
        sent.append(message)

    headers = [(b"content-type", b"multipart/form-data; boundary=b"), (b"accept-language", language.encode())]
    scope = {"type": "http", "method": "POST", "path": "/classify", "query_string": b"", "headers": headers}
    with ThreadPoolExecutor(1) as elsewhere:
        elsewhere.submit(asyncio.run, client(timeout=0.5).app(scope, receive, send)).result()
    assert sent[0]["status"] == 408
    assert words in json.loads(sent[1]["body"])["message"]


def test_a_sender_who_goes_away_is_no_fault_of_ours(caplog):
    caplog.set_level(logging.INFO, "lungcare.requests")
    sent = []

    async def receive() -> dict:
        return {"type": "http.disconnect"}

    async def send(message: dict) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/other", "query_string": b"", "headers": [], "client": None}
    with ThreadPoolExecutor(1) as elsewhere:  # the browser tests may have left a loop running here
        elsewhere.submit(asyncio.run, client().app(scope, receive, send)).result()
    (record,) = caplog.records
    assert (record.levelno, record.told["status"]) == (logging.INFO, 499)
    assert not sent
