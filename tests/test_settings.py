from pathlib import Path

import pytest

from lungcare.settings import Settings, SettingsError


def test_defaults():
    settings = Settings.from_environment({"LUNGCARE_MODEL": ""})
    assert settings == Settings()
    assert (settings.model, settings.max_bytes, settings.max_pixels) == ("lungcare", 50_000_000, 64_000_000)
    assert (settings.examples, settings.threads) == (None, 2)


def test_from_the_environment(tmp_path):
    settings = Settings.from_environment({"LUNGCARE_MAX_BYTES": "1000", "LUNGCARE_EXAMPLES": str(tmp_path), "X": "1"})
    assert settings.max_bytes == 1000
    assert settings.examples == Path(tmp_path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LUNGCARE_MAX_BYTES", "50 MB"),
        ("LUNGCARE_MAX_PIXELS", "0"),
        ("LUNGCARE_THREADS", "-1"),
        ("LUNGCARE_MODEL", "../x"),
        ("LUNGCARE_EXAMPLES", "/no/such/folder"),
    ],
)
def test_a_wrong_value_is_one_sentence(name, value):
    with pytest.raises(SettingsError, match=name) as raised:
        Settings.from_environment({name: value})
    assert value in str(raised.value)
    assert "\n" not in str(raised.value)
