"""A short run of benchmarks/fuzz.py, with other inputs than the long one's first chunks."""

import pytest

from benchmarks import fuzz


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("number", [1_000_001, 1_000_002])
def test_damaged_and_made_up_files_are_read_or_refused(number, tmp_path):
    files = fuzz.seeds()[number % 3 :: 3]
    done = fuzz.chunk(number, files, tmp_path, mutations=400, drawn=60)
    assert done["wrong"] == []
    assert sum(done["tally"].values()) >= 440
    assert {"read", "damaged_file"} <= set(done["tally"])
