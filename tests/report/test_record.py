import json

import pytest

from yt8m.errors import ConfigError, DataError
from yt8m.report.record import NodeRecord, load_records

RECORD = NodeRecord(node="evaluate-dbof1", stage="evaluate", name="dbof1", family="dbof", metrics={"gap": 0.5})


def save(path, *records):
    path.write_text(json.dumps([record.model_dump() for record in records]))


def test_a_file_may_hold_one_record_or_several(tmp_path):
    (tmp_path / "one.json").write_text(json.dumps({"node": "export", "stage": "export"}))
    save(tmp_path / "several.json", RECORD)
    nodes = [record.node for record in load_records([tmp_path / "one.json", tmp_path / "several.json"])]
    assert nodes == ["export", "evaluate-dbof1"]


def test_a_record_that_comes_twice_counts_once(tmp_path):
    save(tmp_path / "family.json", RECORD, RECORD)
    assert load_records([tmp_path / "family.json", tmp_path / "family.json"]) == [RECORD]


def test_two_different_records_of_a_node_are_an_error_that_names_it(tmp_path):
    save(tmp_path / "first.json", RECORD)
    save(tmp_path / "second.json", RECORD.model_copy(update={"metrics": {"gap": 0.6}}))
    with pytest.raises(DataError, match=r"second\.json.*'evaluate-dbof1'"):
        load_records([tmp_path / "first.json", tmp_path / "second.json"])


@pytest.mark.parametrize("text", ["", "{", "\xff"])
def test_a_file_that_is_no_json_is_an_error_that_names_it(tmp_path, text):
    (tmp_path / "broken.json").write_text(text)
    with pytest.raises(DataError, match=r"broken\.json"):
        load_records([tmp_path / "broken.json"])


def test_a_missing_file_is_an_error_that_names_it(tmp_path):
    with pytest.raises(DataError, match=r"absent\.json"):
        load_records([tmp_path / "absent.json"])


@pytest.mark.parametrize("record", [{"stage": "train"}, {"node": "train-a", "stage": "train", "metric": {}}, 3])
def test_a_json_that_is_no_record_is_an_error_that_names_its_file(tmp_path, record):
    (tmp_path / "other.json").write_text(json.dumps(record))
    with pytest.raises(ConfigError, match=r"other\.json"):
        load_records([tmp_path / "other.json"])
