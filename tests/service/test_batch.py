"""POST /classify_batch."""

import pytest
import requests

from lungcare.conditions import CODES
from tests import phantom


def post(server, films: list[bytes], **headers: str) -> requests.Response:
    files = [("films", ("film", film)) for film in films]
    return requests.post(f"{server.url}/classify_batch", files=files, headers=headers, timeout=120)


def test_each_film_gets_a_reading_or_a_problem_in_order(server, reader):
    films = [phantom.film(look, 4) for look in phantom.LOOKS]
    films.insert(1, b"no film")
    answer = post(server, films, **{"Accept-Language": "id", "X-Request-ID": "batch-1"})
    assert answer.status_code == 200
    results = answer.json()["results"]
    assert [result["outcome"] for result in results] == ["read", "refused", "read", "read", "read"]
    assert results[1]["code"] == "unsupported_format"
    assert results[1]["status"] == 415
    assert "Kirim" in results[1]["advice"]
    assert results[1]["request_id"] == answer.headers["x-request-id"] == "batch-1"
    for film, result in zip(films, results, strict=True):
        if result["outcome"] == "read":
            expected = reader.read(film).probabilities
            for code in CODES:
                assert result["probabilities"][code] == pytest.approx(getattr(expected, code), abs=1e-4)


def test_one_film_is_a_batch_too(server):
    assert len(post(server, [phantom.film()]).json()["results"]) == 1


def test_a_film_that_is_too_large_leaves_the_others(server):
    results = post(server, [bytes(50_000_001), phantom.film()]).json()["results"]
    assert [result.get("code") for result in results] == ["file_too_large", None]


def test_none_and_too_many_films_are_problems(server):
    assert requests.post(f"{server.url}/classify_batch", timeout=30).json()["code"] == "no_film"
    assert post(server, [b"x"] * 33).json()["code"] == "too_many_films"
