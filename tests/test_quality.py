from lungcare.quality import Measure, quality

METRICS = {
    "test": {"balanced_accuracy": {"value": 0.8, "low": 0.7, "high": 0.9, "films": 100}},
    "external": {
        "by_source": {
            "normal/near": {"films": 9, "accuracy": {"value": 0.5, "films": 9}},
            "pneumonia/far": {"films": 30, "accuracy": {"value": 0.4, "films": 30}},
            "normal/far": {"films": 20, "accuracy": {"value": 0.6, "films": 20}},
            "other/far": {"films": 99, "read_as": {}},
        }
    },
}


def _quality(reader, metrics):
    return quality(reader.bundle.card.model_copy(update={"metrics": metrics}))


def test_inside_and_elsewhere_come_from_the_card(reader):
    found = _quality(reader, METRICS)
    assert found.inside == Measure(0.8, 100)
    assert [measure.films for measure in found.elsewhere] == [30, 20, 9]
    assert found.outside("pneumonia") == Measure(0.4, 30, "pneumonia", "far")


def test_outside_is_of_the_condition_and_of_no_other(reader):
    found = _quality(reader, METRICS)
    assert found.outside("normal") == Measure(0.6, 20, "normal", "far")
    assert found.outside("tuberculosis") is None


def test_a_card_without_figures_has_none(reader):
    found = _quality(reader, {})
    assert found.inside is None
    assert found.outside("normal") is None
