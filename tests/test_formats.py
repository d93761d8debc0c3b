import numpy as np
import pytest

from lungcare.film import FilmError, decode
from tests.formats import DOCUMENT, READ, REFUSED, document


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("case", READ, ids=[f"{case.section}: {case.name}" for case in READ])
def test_read(case):
    pixels = decode(case.make()).pixels
    assert pixels.dtype == np.float32
    assert pixels.shape == case.expected.shape
    assert np.abs(pixels - case.expected).max() <= case.tolerance


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("case", REFUSED, ids=[case.name for case in REFUSED])
def test_refused(case):
    with pytest.raises(FilmError) as raised:
        decode(case.make())
    assert raised.value.code == case.code
    assert {name: str(value) for name, value in raised.value.values.items()}.keys() == case.values.keys()
    for name, value in case.values.items():
        assert str(raised.value.values[name]).startswith(str(value))


def test_the_document_is_that_of_the_table():
    assert DOCUMENT.read_text(encoding="utf-8") == document(), "write it anew: python -m tests.formats"
