import json

import pytest

from yt8m.errors import DataError, StorageError
from yt8m.records.record import NodeRecord, read_records, record_uri

RECORD = NodeRecord(node="train-dbof1", stage="train", name="dbof1", family="dbof", metrics={"gap": 0.5})
OTHER = NodeRecord(node="export", stage="export", artifacts={"exported": "gs://bucket/exported"})


def save(root, record, work="292c662438ab", text=None):
    path = root / "records" / record.node / f"{work}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes((record.model_dump_json() if text is None else text).encode("latin-1"))


def test_a_record_lies_under_the_root_by_node_and_work():
    assert record_uri("gs://bucket/runs", "train-a", "0123-4567") == "gs://bucket/runs/records/train-a/0123-4567.json"


def test_the_named_records_are_read_in_the_given_order(tmp_path):
    save(tmp_path, RECORD, "1-a")
    save(tmp_path, OTHER, "2")
    assert read_records(str(tmp_path), {"export": "2", "train-dbof1": "1-a"}) == [OTHER, RECORD]


def test_other_records_of_the_same_node_are_not_read(tmp_path):
    save(tmp_path, RECORD, "1")
    save(tmp_path, RECORD.model_copy(update={"metrics": {"gap": 0.9}}), "1-newer")
    assert read_records(str(tmp_path), {"train-dbof1": "1"}) == [RECORD]


def test_a_missing_record_is_an_error_that_names_node_file_and_remedy(tmp_path):
    save(tmp_path, RECORD, "1")
    with pytest.raises(
        DataError,
        match=r"records/train-dbof1/2\.json: .*node train-dbof1 is missing.*rerun RUN train-dbof1 --downstream",
    ):
        read_records(str(tmp_path), {"train-dbof1": "2"})


@pytest.mark.parametrize(
    "text", ["", "{", "\xff", "3", json.dumps({"stage": "train"}), json.dumps({"node": "a", "x": 1})]
)
def test_a_damaged_record_is_an_error_that_names_node_file_and_remedy(tmp_path, text):
    save(tmp_path, RECORD, "1", text)
    with pytest.raises(DataError, match=r"records/train-dbof1/1\.json") as error:
        read_records(str(tmp_path), {"train-dbof1": "1"})
    assert "train-dbof1 cannot be read" in str(error.value)
    assert "rerun" in str(error.value)


def test_a_record_in_a_store_without_access_is_an_error_that_names_the_node(monkeypatch):
    def refuse(_):
        raise StorageError("gs://bucket: access denied.")

    monkeypatch.setattr("yt8m.storage.exists", refuse)
    with pytest.raises(StorageError, match=r"access denied\.\n.*train-dbof1/1\.json: .*train-dbof1 cannot be read"):
        read_records("gs://bucket", {"train-dbof1": "1"})


def test_a_record_of_another_node_is_refused(tmp_path):
    save(tmp_path, RECORD, "1", OTHER.model_dump_json())
    with pytest.raises(DataError, match=r"node train-dbof1, received that of node 'export'"):
        read_records(str(tmp_path), {"train-dbof1": "1"})
