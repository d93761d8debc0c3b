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
