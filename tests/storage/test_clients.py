"""Behavior of the clients of single object stores, and imports of local files."""

import io
import sys
import uuid
from typing import Any

import boto3
import pytest
from botocore import exceptions
from google.auth.exceptions import RefreshError, TransportError

from tests.storage.conftest import BUCKET
from tests.support.python import modules_after
from yt8m import storage
from yt8m.errors import StorageError
from yt8m.storage import gcs, s3
from yt8m.storage.interface import ObjectPath


def test_local_files_need_no_library_of_a_store(tmp_path):
    program = (
        "from yt8m import storage\n"
        f"with storage.open_atomic({str(tmp_path / 'file')!r}) as file: file.write(b'content')\n"
        f"storage.ReadAhead([{str(tmp_path / 'file')!r}]).stage_in({str(tmp_path / 'file')!r}).read_bytes()\n"
    )
    heavy = {"boto3", "google.api_core", "google.cloud.storage", "requests", "pydantic"}
    assert not heavy & modules_after(program)


def test_a_missing_extra_is_named(monkeypatch):
    s3._client_for.cache_clear()
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(StorageError, match=r"boto3 is missing .* Install yt8m with its extra: `yt8m\[s3\]`"):
        storage.read_bytes("s3://bucket/file")


def test_denied_access_names_the_missing_rights(object_stores, quick_storage):
    object_stores["s3"].plan = None
    client: Any = s3.s3_client()
    error = client._client.exceptions.ClientError(
        {"Error": {"Code": "AccessDenied"}, "ResponseMetadata": {"HTTPStatusCode": 403}}, "GetObject"
    )
    assert client.classify(error).name == "DENIED"
    assert "s3:GetObject" in client.access_remedy
    assert "roles/storage.objectUser" in gcs.GcsClient.access_remedy


def test_a_failed_request_for_credentials_is_transient(object_stores, quick_storage):
    unreachable = RefreshError()
    unreachable.__cause__ = TransportError()
    refused = RefreshError("account deleted")

    assert [gcs.gcs_client().classify(error).name for error in (unreachable, refused)] == ["TRANSIENT", "DENIED"]
    for error in (
        exceptions.CredentialRetrievalError(provider="container-role", error_msg="timeout"),
        exceptions.MetadataRetrievalError(error_msg="timeout"),
    ):
        assert s3.s3_client().classify(error).name == "TRANSIENT"


@pytest.mark.parametrize("parts", [1, 2])
def test_foreign_s3_objects_are_verified_by_their_etag(object_stores, quick_storage, parts):
    object_stores["s3"].plan = None
    client, key = boto3.client("s3"), f"foreign-{parts}"
    content = bytes(range(256)) * (24 << 10)
    if parts == 1:
        client.put_object(Bucket=BUCKET, Key=key, Body=content)
    else:
        config = boto3.s3.transfer.TransferConfig(multipart_threshold=5 << 20, multipart_chunksize=5 << 20)
        client.upload_fileobj(io.BytesIO(content), BUCKET, key, Config=config)

    checksum = s3.s3_client().info(ObjectPath("s3", BUCKET, key)).checksum
    assert checksum.algorithm == ("md5" if parts == 1 else "md5-of-parts")
    assert storage.read_bytes(f"s3://{BUCKET}/{key}") == content


@pytest.fixture
def unequal_parts(object_stores, quick_storage) -> tuple[str, bytes]:
    """Upload an object with parts of unequal sizes, like a composed object; return its key and content."""
    object_stores["s3"].plan = None
    client, key = boto3.client("s3"), f"unequal-{uuid.uuid4().hex}"
    upload = {
        "Bucket": BUCKET,
        "Key": key,
        "UploadId": client.create_multipart_upload(Bucket=BUCKET, Key=key)["UploadId"],
    }
    bodies = [bytes([number]) * size for number, size in enumerate((6_000_000, 5_300_000, 7_000_000, 5_500_000))]
    parts = [
        {"PartNumber": number, "ETag": client.upload_part(**upload, PartNumber=number, Body=body)["ETag"]}
        for number, body in enumerate(bodies, 1)
    ]
    client.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    return key, b"".join(bodies)


def test_parts_of_unequal_size_are_verified(unequal_parts):
    key, content = unequal_parts
    assert storage.read_bytes(f"s3://{BUCKET}/{key}") == content


def test_parts_of_unknown_size_are_refused_before_the_download(unequal_parts, monkeypatch):
    key, _ = unequal_parts
    s3_client: Any = s3.s3_client()
    client = s3_client._client
    head = client.head_object
    monkeypatch.setattr(client, "head_object", lambda Bucket, Key, **_: head(Bucket=Bucket, Key=Key))
    monkeypatch.setattr(client, "get_object", None)  # nothing is fetched

    with pytest.raises(StorageError, match=r"the store gives no checksum that can be verified .* Copy the object with"):
        storage.read_bytes(f"s3://{BUCKET}/{key}")


def test_an_s3_object_without_a_checksum_is_refused(object_stores, quick_storage):
    object_stores["s3"].plan = None
    boto3.client("s3").put_object(
        Bucket=BUCKET, Key="encrypted", Body=b"content", ServerSideEncryption="aws:kms", SSEKMSKeyId="key"
    )
    with pytest.raises(StorageError, match="encrypted: the store gives no checksum that can be verified"):
        storage.read_bytes(f"s3://{BUCKET}/encrypted")

    with storage.open_atomic(f"s3://{BUCKET}/own") as file:
        file.write(b"content")
    assert storage.read_bytes(f"s3://{BUCKET}/own") == b"content"


def test_public_buckets_can_be_read_without_credentials(monkeypatch, tmp_path):
    monkeypatch.delenv("STORAGE_EMULATOR_HOST", raising=False)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "")
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    client = gcs.GcsClient()
    assert type(client._client._credentials).__name__ == "AnonymousCredentials"


def write(uri: str) -> None:
    with storage.publish_file(uri):
        pytest.fail("work that cannot be stored must not begin")


@pytest.mark.parametrize(
    "request_something",
    [
        storage.exists,
        storage.read_bytes,
        storage.stage_in,
        storage.stat,
        storage.list_uris,
        storage.list_files,
        lambda uri: storage.remove([uri]),
        write,
    ],
)
def test_kubeflow_s_own_store_is_never_looked_for_at_amazon(monkeypatch, request_something):
    s3._client_for.cache_clear()
    # Whatever asked for a client of S3 would fail otherwise.
    monkeypatch.setitem(sys.modules, "boto3", None)
    for name in s3.ENDPOINT_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(StorageError, match="minio://: AWS_ENDPOINT_URL does not name the address of the store"):
        request_something("minio://mlpipeline/v2/artifacts/model")


@pytest.mark.parametrize("name", s3.ENDPOINT_VARIABLES)
def test_one_variable_is_enough_for_kubeflow_s_own_store(monkeypatch, object_stores, quick_storage, name):
    object_stores["s3"].plan = None
    address = f"http://127.0.0.1:{object_stores['s3'].port}"
    for each in s3.ENDPOINT_VARIABLES:
        monkeypatch.delenv(each, raising=False)
    monkeypatch.setenv(name, address)
    with storage.open_atomic(f"minio://{BUCKET}/{name}") as file:
        file.write(b"content")
    assert storage.read_bytes(f"minio://{BUCKET}/{name}") == b"content"
