import pytest

from yt8m.data.vocabulary.files import write_vocabulary
from yt8m.data.vocabulary.names import ClassNames, read_vocabulary
from yt8m.errors import DataError


def test_people_read_number_and_name_of_a_class() -> None:
    names = ClassNames({0: "cat", 1: "", 2: "2", 5: "a (b)"})
    assert [names.label(number) for number in (0, 1, 2, 3, 5)] == ["0 (cat)", "1", "2", "3", "5 (a (b))"]
    assert names.listing([0]) == "class 0 (cat)"
    assert names.listing([0, 1, 2]) == "classes 0 (cat), 1, 2"
    assert names.listing(range(1234), 1) == "classes 0 (cat) and 1,233 more"
    assert names.labels([0, 5]) == "0 (cat), 5 (a (b))"


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ([0, 1], "2 names, but there are 3 classes: class 2 missing. Give the vocabulary of this data"),
        ([2], "1 names, but there are 3 classes: classes 0, 1 missing."),
        ([0, 1, 2, 3], "line 5: class 3, but there are 3 classes, from 0. Give the vocabulary of this data"),
    ],
)
def test_a_vocabulary_has_every_class_and_no_other(tmp_path, numbers, said) -> None:
    write_vocabulary(tmp_path / "names.csv", {number: f"name {number}" for number in numbers})
    with pytest.raises(DataError) as caught:
        read_vocabulary(str(tmp_path / "names.csv"), 3)
    assert str(caught.value).startswith(f"{tmp_path}/names.csv: {said}")


def test_the_vocabulary_of_a_model_of_an_earlier_version_may_lack_classes(tmp_path) -> None:
    write_vocabulary(tmp_path / "names.csv", {1: "dog"})
    assert read_vocabulary(str(tmp_path / "names.csv"), 3, complete=False) == {1: "dog"}


def test_names_beside_shards_are_read(tmp_path, shards) -> None:
    shards.describe(tmp_path, vocabulary="names.csv")
    write_vocabulary(tmp_path / "names.csv", {1: "dog"})
    assert ClassNames.of_shards([str(tmp_path / "train0.tfrecord")], 10).names == {1: "dog"}


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (None, "names.csv: there is no such file"),
        ({12: "dog"}, "names.csv: line 2: class 12, but there are 10 classes"),
    ],
)
def test_messages_do_without_names_that_cannot_be_read(tmp_path, shards, caplog, names, said) -> None:
    shards.describe(tmp_path, vocabulary="names.csv")
    if names:
        write_vocabulary(tmp_path / "names.csv", names)
    assert ClassNames.of_shards([str(tmp_path / "train0.tfrecord")], 10).label(1) == "1"
    assert "Classes are shown by their numbers" in caplog.text
    assert said in caplog.text
    assert ClassNames.of_shards([str(tmp_path / "other" / "train0.tfrecord")], 10).names == {}
