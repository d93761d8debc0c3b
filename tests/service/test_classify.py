"""POST /classify: what it answers to films, and to everything else."""

import json
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
import requests

from lungcare.conditions import CODES
from lungcare.problem import STATUS_BY_CODE
from tests import phantom
from tests.serving import ROOT

FILMS = {
    "8bit.png": phantom.film("normal", 1),
    "16bit.png": phantom.encode(phantom.chest("pneumonia", 2), bits=16),
    "grey.jpg": phantom.film("tuberculosis", 3, "JPEG"),
    "colour.webp": phantom.encode(phantom.chest("pneumothorax", 4), "WEBP", mode="RGB"),
}


def _bomb(side: int = 30_000) -> bytes:
    """A valid black PNG of side x side pixels in a few kilobytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    press = zlib.compressobj(1)
    row = bytes(1 + (side + 7) // 8)
    rows = b"".join(press.compress(row) for _ in range(side)) + press.flush()
    header = side.to_bytes(4, "big") * 2 + bytes((1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def _multipart(server, body, content_type="multipart/form-data; boundary=b", path="/classify"):
    headers = {"Content-Type": content_type} if content_type else {}
    return requests.post(server.url + path, data=body, headers=headers, timeout=60)


def _pieces(total: int):
    """A form whose file goes on and on, so that requests sends it chunked, without a length."""
    yield b'--b\r\nContent-Disposition: form-data; name="film"; filename="f.png"\r\n\r\n'
    for _ in range(total // 1_000_000):
        yield bytes(1_000_000)
    yield b"\r\n--b--\r\n"


def _part(name: str, content: str, filename: str | None = None) -> str:
    file = f'; filename="{filename}"' if filename is not None else ""
    return f'--b\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n{content}\r\n'


PAGE_ROUTE = "/ui/gradio_api/component_server"
BAD = {
    "nothing at all": ("no_film", lambda s: _multipart(s, b"", None)),
    "a form without fields": ("no_film", lambda s: _multipart(s, b"--b--\r\n")),
    "text in the field": ("no_film", lambda s: _multipart(s, _part("film", "x") + "--b--\r\n")),
    "an address in the field": ("no_film", lambda s: _multipart(s, _part("film", s.url) + "--b--\r\n")),
    "wrong field": ("wrong_field", lambda s: s.post(FILMS["8bit.png"], field="image")),
    "two films": ("several_films", lambda s: _multipart(s, 2 * _part("film", "x", "f") + "--b--\r\n")),
    "JSON": ("not_multipart", lambda s: requests.post(s.url + "/classify", json={"film": "x"}, timeout=60)),
    "the bare file": ("not_multipart", lambda s: _multipart(s, FILMS["8bit.png"], "image/png")),
    "pickle": ("not_multipart", lambda s: _multipart(s, b"x", "application/vnd.bentoml+pickle")),
    "form without a boundary": ("damaged_request", lambda s: _multipart(s, b"x", "multipart/form-data")),
    "form cut short": ("damaged_request", lambda s: _multipart(s, b"--b\r\nContent-Dis")),
    "garbage for a form": ("damaged_request", lambda s: _multipart(s, b"\x00\xff" * 99)),
    "header of a part too long": ("damaged_request", lambda s: _multipart(s, _part("x" * 99_999, "x") + "--b--\r\n")),
    "text field too long": ("request_too_large", lambda s: _multipart(s, _part("x", "x" * 99_999) + "--b--\r\n")),
    "empty file": ("empty_file", lambda s: s.post(b"")),
    "text renamed .png": ("unsupported_format", lambda s: s.post(b"This is no film.", name="film.png")),
    "truncated JPEG": ("damaged_file", lambda s: s.post(FILMS["grey.jpg"][:3000], name="film.jpg")),
    "tiny film": ("too_small", lambda s: s.post(phantom.encode(phantom.chest(height=20, width=20)))),
    "bomb": ("too_many_pixels", lambda s: s.post(_bomb())),
    "60 MB": ("file_too_large", lambda s: s.post(bytes(60_000_000))),
    "60 MB, chunked": ("file_too_large", lambda s: _multipart(s, _pieces(60_000_000))),
    "60 MB to the page": (
        "file_too_large",
        lambda s: _multipart(s, _pieces(60_000_000), path="/ui/gradio_api/component_server"),
    ),
    "a hair above 50 MB": ("file_too_large", lambda s: s.post(bytes(50_000_001))),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_input_gets_one_clear_sentence(server, what):
    code, send = BAD[what]
    answer = send(server)
    body = answer.json()
    assert body["code"] == code
    assert answer.status_code == STATUS_BY_CODE[code]
    assert 400 <= answer.status_code < 500
    assert body["outcome"] == "refused"
    assert body["message"].endswith(".")
    assert body["advice"].endswith(".")
    assert body["model"] == "phantom:0.0.1"
    assert server.post(FILMS["8bit.png"]).status_code == 200


def test_a_film_with_a_strange_name_is_read(server):
    for name in ("../../../etc/passwd", "x" * 300, "ä \x7f.png", "", "a/b\\c"):
        film = FILMS["8bit.png"]
        head = f'--b\r\nContent-Disposition: form-data; name="film"; filename="{name}"\r\n\r\n'.encode()
        assert _multipart(server, head + film + b"\r\n--b--\r\n").status_code == 200, name


def test_library_command_line_http_and_page_agree(server, reader, bundle_folder, tmp_path):
    for name, data in FILMS.items():
        (tmp_path / name).write_bytes(data)
    command = [sys.executable, "-m", "lungcare", "classify", "--model", str(bundle_folder), "--json"]
    paths = [str(tmp_path / name) for name in FILMS]
    output = subprocess.run([*command, *paths], cwd=ROOT, capture_output=True, check=True, text=True).stdout
    by_command_line = {Path(line["file"]).name: line for line in map(json.loads, output.splitlines())}

    for name, data in FILMS.items():
        expected = reader.read(data).model_dump()
        by_http = server.post(data, name=name).json()
        html = server.call_page("read", data)["html"]
        assert by_http["finding"] == by_command_line[name]["finding"] == expected["finding"]
        assert f'data-finding="{expected["finding"]}"' in html
        for code in CODES:
            probability = pytest.approx(expected["probabilities"][code], abs=1e-4)
            assert by_http["probabilities"][code] == probability
            assert by_command_line[name]["probabilities"][code] == probability
            shown = html.partition(f'data-condition="{code}" data-probability="')[2].partition('"')[0]
            assert float(shown) == probability


def test_asking_again_is_safe(server):
    for film in (FILMS["16bit.png"], b"no film"):
        first, again = (server.post(film, **{"X-Request-ID": "the-same"}) for _ in range(2))
        assert (first.status_code, first.json()) == (again.status_code, again.json())


def test_sentences_follow_the_language_of_the_sender(server):
    assert "kosong" in server.post(b"", **{"Accept-Language": "id-ID,id;q=0.9,en;q=0.5"}).json()["message"]
    assert "kolom" in server.post(b"", field="x", **{"Accept-Language": "id"}).json()["message"]
    assert "empty" in server.post(b"", **{"Accept-Language": "fr"}).json()["message"]


def test_no_film_is_left_on_the_disk(server):
    data = phantom.encode(phantom.chest("normal", 77, 1400, 1400))
    assert len(data) > 1_000_000
    assert server.post(data).status_code == 200
    assert server.call_page("read", data)["reading"]
    left = [path for path in server.scratch.rglob("*") if path.is_file() and path.stat().st_size == len(data)]
    assert not left
