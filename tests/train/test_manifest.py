from collections import Counter

import pytest

from train.manifest import DataError, passed_over, read_films


def test_tree_with_class_names_of_both_languages(tree):
    films = read_films(tree)
    count = Counter(film.label for film in films)
    assert count == {"normal": 17, "pneumonia": 14, "tuberculosis": 14, "pneumothorax": 14}
    assert {film.role for film in films} == {"internal"}


def test_tree_with_a_split(tmp_path):
    for path in ("train/NORMAL/a.png", "Val/pneumotoraks/b.jpg", "test/Pneumonia/c.jpeg", "test/other/d.png"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    given = {film.file: (film.given, film.label) for film in read_films(tmp_path)}
    assert given == {
        "train/NORMAL/a.png": ("train", "normal"),
        "Val/pneumotoraks/b.jpg": ("validation", "pneumothorax"),
        "test/Pneumonia/c.jpeg": ("test", "pneumonia"),
    }


def test_a_tree_whose_classes_are_links_and_folders_of_no_class(tmp_path):
    for path in ("archive/a.png", "films/covid/b.png", "films/covid/c.png"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    (tmp_path / "films" / "normal").symlink_to(tmp_path / "archive")
    assert [(film.file, film.label) for film in read_films(tmp_path / "films")] == [("normal/a.png", "normal")]
    assert passed_over(tmp_path / "films") == {str(tmp_path / "films" / "covid"): 2}


def test_manifest(tmp_path):
    (tmp_path / "manifest.csv").write_text(
        "file,label,source,role,group,official_split\n"
        "a.webp,normal,kermany,internal,g1,test\nb.webp,other,jsrt,external,g2,\n"
    )
    first, second = read_films(tmp_path)
    assert (first.source, first.group, first.given) == ("kermany", "g1", "official")
    assert (second.label, second.role) == ("other", "external")


def test_a_manifest_that_a_spreadsheet_wrote(tmp_path):
    (tmp_path / "manifest.csv").write_text("file,label,width,height\na.png,normal,640.0,\n", encoding="utf-8-sig")
    (film,) = read_films(tmp_path)
    assert (film.file, film.side) == ("a.png", 640)


def test_films_of_one_patient_are_a_group_unless_the_manifest_names_another(tmp_path):
    (tmp_path / "manifest.csv").write_text(
        "file,label,source,patient,group\n"
        "a.png,normal,here,7,\nb.png,pneumonia,here,7,\nc.png,normal,there,7,\nd.png,normal,here,8,g1\ne.png,normal,here,,\n"
    )
    groups = [film.group for film in read_films(tmp_path)]
    assert groups[0] == groups[1] != groups[2]
    assert groups[2:] == ["there 7", "g1", ""]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "No films were found"),
        ("file,source\na.png,x\n", "lacks the columns label"),
        ("file,label\na.png,cat\n", "labels that are not ours: cat"),
        ("file,label,role\na.png,normal,train\n", "roles that are not ours: train"),
    ],
)
def test_what_cannot_be_used_is_said(tmp_path, content, words):
    if content:
        (tmp_path / "manifest.csv").write_text(content)
    with pytest.raises(DataError, match=words):
        read_films(tmp_path)


def test_no_folder(tmp_path):
    with pytest.raises(DataError, match="is no folder"):
        read_films(tmp_path / "nowhere")
