"""POST /classify with map=true."""

import base64
import io

import pytest
import requests
from PIL import Image

from lungcare import api
from lungcare.reading import Probabilities, Reading
from tests import phantom

READING = Reading(
    finding="normal",
    probabilities=Probabilities(normal=1, pneumonia=0, tuberculosis=0, pneumothorax=0),
    model="phantom:0.0.1",
)


def ask(server, film: bytes, **fields: str) -> requests.Response:
    return requests.post(f"{server.url}/classify", files={"film": film}, data=fields, timeout=60)


def test_the_map_joins_the_reading_where_the_model_has_one(server, reader):
    film = phantom.film("pneumonia", 6)
    expected, picture = reader.read_with_map(film)
    answer = ask(server, film, map="true").json()
    assert answer["finding"] == expected.finding
    assert "map" not in ask(server, film).json()
    assert "map" not in ask(server, film, map="false").json()
    if picture is None:
        assert answer["map"] is None
    else:
        with Image.open(io.BytesIO(base64.b64decode(answer["map"]))) as shown:
            assert shown.format == "PNG"


def test_a_map_is_the_picture_in_base64():
    assert base64.b64decode(api.mapped(READING, b"picture").map) == b"picture"
    assert api.mapped(READING, None).map is None
    assert api.mapped(READING, None).model_dump(exclude={"map"}) == READING.model_dump()


def test_a_refusal_has_no_map(server):
    answer = ask(server, b"no film", map="true")
    assert answer.status_code == 415
    assert "map" not in answer.json()


@pytest.mark.parametrize("value", ["perhaps", "2"])
def test_a_wish_that_is_no_wish_is_said(server, value):
    assert ask(server, phantom.film(), map=value).json()["code"] == "wrong_value"
