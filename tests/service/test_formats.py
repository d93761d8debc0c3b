"""DICOM and the other formats over HTTP: whatever name and type the sender gives them."""

import pytest
import requests

from lungcare.conditions import CODES
from tests import formats
from tests.dicom_files import write

FILM = write(formats.TWELVE, BitsStored=12)


@pytest.mark.parametrize("name", ["film.dcm", "IM000001", "film.png", "film.txt"])
@pytest.mark.parametrize("kind", ["application/octet-stream", "application/dicom", "image/png", "text/plain", None])
def test_the_content_counts(server, reader, name, kind):
    part = (name, FILM, kind) if kind else (name, FILM)
    answer = requests.post(f"{server.url}/classify", files={"film": part}, timeout=60)
    assert answer.status_code == 200
    expected = reader.read(FILM)
    for code in CODES:
        assert answer.json()["probabilities"][code] == pytest.approx(getattr(expected.probabilities, code), abs=1e-4)


@pytest.mark.parametrize("case", formats.REFUSED, ids=[case.name for case in formats.REFUSED])
def test_refused_with_its_status(server, case):
    answer = server.post(case.make(), name="film.dcm")
    assert answer.json()["code"] == case.code
    assert answer.status_code == formats.STATUS_BY_CODE[case.code]
    assert "probabilities" not in answer.json()
