import pytest

from lungcare.keys import matching, new_key, parse_keys


def test_a_new_key_is_matched_by_what_is_written_for_it():
    key, entry = new_key()
    records = parse_keys(["another-key-of-16", entry])
    assert matching(records, key) == records[1]
    assert matching(records, key + "x") is None
    assert key not in repr(records)
    assert new_key()[0] != key


def test_a_key_of_any_characters_is_compared():
    assert matching(parse_keys(["a" * 16]), "ä \x00") is None


@pytest.mark.parametrize("wrong", ["SHA256:{}", '"sha256:{}"', "\ufeffsha256:{}", "sha256={}", "sha256:{}0"])
def test_what_is_nearly_a_checksum_is_no_key(wrong):
    checksum = new_key()[1].removeprefix("sha256:")
    with pytest.raises(ValueError, match="64 hexadecimal digits"):
        parse_keys([wrong.format(checksum)])
    assert parse_keys([f"sha256:{checksum.upper()}"])[0].checksum == checksum
