import pytest

from train.manifest import DataError
from train.recipe import FOLDER, read_recipe


@pytest.mark.parametrize("name", [path.stem for path in FOLDER.glob("*.toml")])
def test_every_recipe_holds(name):
    assert read_recipe(name).size >= 160


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"augmentation": {"sparkle": 1}}, "unknown augmentation: sparkle"),
        ({"sizes": [[3, 160]]}, "sizes must start at epoch 0"),
        ({"speed": 3}, "speed"),
    ],
)
def test_wrong_settings_are_said(changes, words):
    with pytest.raises(DataError, match=words):
        read_recipe("reader", **changes)


def test_size_by_epoch():
    recipe = read_recipe("reader", sizes=[[0, 160], [5, 224]])
    assert [recipe.size_at(epoch) for epoch in (0, 4, 5, 9)] == [160, 160, 224, 224]


def test_unknown_recipe():
    with pytest.raises(DataError, match="There is no recipe"):
        read_recipe("nothing")


def test_a_recipe_like_another_one_changes_what_it_names(tmp_path):
    (tmp_path / "own.toml").write_text('like = "reader"\nrate = 0.5\n')
    like, own = read_recipe("reader"), read_recipe(str(tmp_path / "own.toml"), epochs=2)
    assert own == like.model_copy(update={"rate": 0.5, "epochs": 2})
    (tmp_path / "own.toml").write_text('like = "nothing"\n')
    with pytest.raises(DataError, match=r"There is no recipe .*nothing\.toml"):
        read_recipe(str(tmp_path / "own.toml"))
