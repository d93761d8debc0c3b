import hashlib
from pathlib import Path

import pytest

from lungcare.settings import PREFIX, Settings, SettingsError, table

KEY = "a-key-of-a-program"
CHECKSUM = hashlib.sha256(KEY.encode()).hexdigest()


def settings_of(monkeypatch, **variables: str) -> Settings:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return Settings.from_environment()


def test_defaults(monkeypatch):
    settings = settings_of(monkeypatch, LUNGCARE_MODEL="")
    assert settings == Settings()
    assert (settings.model, settings.max_bytes, settings.max_pixels) == ("lungcare", 50_000_000, 64_000_000)
    assert (settings.examples, settings.threads, settings.keys) == (None, 4, ())


def test_from_the_environment(monkeypatch, tmp_path):
    settings = settings_of(
        monkeypatch, LUNGCARE_MAX_BYTES="1000", LUNGCARE_EXAMPLES=str(tmp_path), LUNGCARE_CORS_ORIGINS="https://a, *"
    )
    assert settings.max_bytes == 1000
    assert settings.examples == Path(tmp_path)
    assert settings.cors_origins == ("https://a", "*")


def test_keys_come_from_the_variable_and_the_file(monkeypatch, tmp_path):
    (tmp_path / "keys").write_text(f"# of the clinic\nsha256:{CHECKSUM} # one\n\n")
    settings = settings_of(
        monkeypatch, LUNGCARE_API_KEYS=f" {KEY}2 ,{KEY}3", LUNGCARE_API_KEYS_FILE=str(tmp_path / "keys")
    )
    assert len(settings.keys) == 3
    assert settings.keys[-1].checksum == CHECKSUM
    assert KEY not in repr(settings)
    (tmp_path / "keys").unlink()
    assert len(settings.keys) == 3


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAX_BYTES", "50 MB"),
        ("MAX_PIXELS", "0"),
        ("THREADS", "-1"),
        ("MODEL", "../x"),
        ("EXAMPLES", "/no/such/folder"),
        ("RATE_LIMIT", "many"),
        ("RATE_LIMIT", "0/minute"),
        ("RATE_LIMIT", "60/minute;1000/day"),
        ("TRUSTED_PROXIES", "the proxy"),
        ("ROOT_PATH", "lungcare"),
        ("CORS_ORIGINS", "https://a/path"),
        ("TIMEOUT", "0"),
        ("TIMEOUT", "inf"),
        ("PAGE_OPEN", "perhaps"),
    ],
)
def test_a_wrong_value_is_one_sentence(monkeypatch, name, value):
    with pytest.raises(SettingsError, match=PREFIX + name) as raised:
        settings_of(monkeypatch, **{PREFIX + name: value})
    assert value in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_file_of_keys_may_begin_with_the_mark_that_windows_writes(monkeypatch, tmp_path):
    (tmp_path / "keys").write_bytes(f"\ufeffsha256:{CHECKSUM}\r\n".encode())
    (record,) = settings_of(monkeypatch, LUNGCARE_API_KEYS_FILE=str(tmp_path / "keys")).keys
    assert record.checksum == CHECKSUM


@pytest.mark.parametrize("value", ["too-short", "sha256:zz", f"SHA256:{CHECKSUM}", f'"sha256:{CHECKSUM}"'])
def test_a_wrong_key_is_said_without_the_key(monkeypatch, value):
    with pytest.raises(SettingsError, match="LUNGCARE_API_KEYS") as raised:
        settings_of(monkeypatch, LUNGCARE_API_KEYS=value)
    assert value not in str(raised.value)


@pytest.mark.parametrize("value", [",", " "])
def test_a_variable_of_keys_has_to_hold_some(monkeypatch, value):
    with pytest.raises(SettingsError, match="LUNGCARE_API_KEYS is wrong: it holds no key"):
        settings_of(monkeypatch, LUNGCARE_API_KEYS=value)


def test_a_file_of_keys_has_to_hold_some(monkeypatch, tmp_path):
    (tmp_path / "keys").write_text("# none yet\n")
    with pytest.raises(SettingsError, match="LUNGCARE_API_KEYS_FILE"):
        settings_of(monkeypatch, LUNGCARE_API_KEYS_FILE=str(tmp_path / "keys"))


def test_a_slip_in_a_name_is_said(monkeypatch):
    with pytest.raises(SettingsError, match="mean LUNGCARE_API_KEYS"):
        settings_of(monkeypatch, LUNGCARE_API_KEY=KEY)


def test_the_document_has_the_table_of_settings():
    text = (Path(__file__).parent.parent / "docs" / "OPERATIONS.md").read_text(encoding="utf-8")
    assert table() in text


def test_every_setting_says_what_it_is():
    assert all(
        field.description.endswith(".") or "://" in field.description or "/lungcare" in field.description
        for field in Settings.model_fields.values()
    )


def test_prevalence_is_four_numbers_of_which_the_ratio_counts(monkeypatch):
    monkeypatch.setenv("LUNGCARE_PREVALENCE", "90, 6, 3, 1")
    assert Settings.from_environment().prevalence == pytest.approx((0.9, 0.06, 0.03, 0.01))
    monkeypatch.setenv("LUNGCARE_PREVALENCE", "1e308,1e308,1e308,1e308")
    assert Settings.from_environment().prevalence == (0.25, 0.25, 0.25, 0.25)
    for wrong in ("1,2,3", "1,2,3,0", "a,b,c,d", "1,1,1,nan", "1,1,1,-1"):
        monkeypatch.setenv("LUNGCARE_PREVALENCE", wrong)
        with pytest.raises(SettingsError, match=r"LUNGCARE_PREVALENCE is wrong: give four numbers.*pneumonia"):
            Settings.from_environment()
