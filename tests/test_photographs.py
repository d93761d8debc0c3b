"""The page of films that are photographed, from results of our own and those in the repository."""

import json

from benchmarks.photographs import PAGE, RESULTS, page

ROW = {"films": 100, "refused_as_photograph": 0, "refused_otherwise": 0}
REFUSED = {**ROW, "read": 0, "refused_as_photograph": 100, "changed_finding": None, "mean_difference": None}


def test_the_page_in_the_repository_is_that_of_its_results():
    assert PAGE.read_text(encoding="utf-8") == page(RESULTS)


def test_the_drawn_photographs_count_by_how_many_are_read(tmp_path):
    shots = {
        "strong reflection": {**ROW, "read": 100, "changed_finding": 1.0, "mean_difference": 1.0},
        "from afar": REFUSED,
        "all together, carefully": {**ROW, "read": 90, "changed_finding": 0.1, "mean_difference": 0.02},
        "all together, carelessly": {**ROW, "read": 10, "changed_finding": 0.1, "mean_difference": 0.12},
    }
    result = {"model": "lungcare:1.0.0", "films": 100, "shots": shots}
    (tmp_path / "photographs-lungcare.json").write_text(json.dumps(result))
    text = page(tmp_path)
    assert "| from afar | 0.0 % | 100.0 % | 0.0 % |  |  |" in text
    assert "100 photographs that are read, 10 change their finding (10.0 %)" in text
    assert "differ by 0.030 in the mean" in text
