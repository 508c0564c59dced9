"""Client of S3 and of stores with its protocol: MinIO, SeaweedFS, Ceph."""

import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from yt8m.errors import StorageError
from yt8m.storage.checksums import Checksum, chunks_of, crc32c
from yt8m.storage.interface import Failure, ListedFile, ObjectClient, ObjectInfo, ObjectPath
from yt8m.storage.ranges import RANGES_AT_ONCE
from yt8m.storage.retry import CONNECT_SECONDS, SILENCE_SECONDS

ENDPOINT_VARIABLES = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
# Larger files are uploaded in parts of this size.
PART_BYTES = 16 << 20
# Metadata key of the checksum of objects that this client uploads, because not all stores compute the same one.
_CHECKSUM_KEY = "crc32c"
_TRANSIENT_NAMES = (
    "BadDigest",
    "RequestTimeout",
    "SlowDown",
    "XAmzContentSHA256Mismatch",
    "XAmzContentChecksumMismatch",
)


class S3Client:
    """Client of S3, or of the store at `AWS_ENDPOINT_URL`.

    boto3 finds the credentials and the region. Without credentials, only public buckets can be read.

    Raises:
        StorageError: boto3 is not installed.
    """

    access_remedy = (
        "Give these credentials the rights s3:GetObject, s3:PutObject, s3:DeleteObject and s3:ListBucket on the "
        "bucket; without credentials, set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
    )

    def __init__(self) -> None:
        try:
            import boto3  # noqa: PLC0415 - optional, and slow to import
            from botocore import UNSIGNED  # noqa: PLC0415
            from botocore.config import Config  # noqa: PLC0415
        except ImportError as error:
            raise StorageError(f"s3://: boto3 is missing ({error}). Install yt8m with its extra: `yt8m[s3]`.") from None
        session = boto3.session.Session()
        own_endpoint = any(os.environ.get(name) for name in ENDPOINT_VARIABLES)
        config = Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=SILENCE_SECONDS,
            retries={"total_max_attempts": 1},
            max_pool_connections=4 * RANGES_AT_ONCE,
            # Other stores have no subdomain per bucket.
            s3={"addressing_style": "path"} if own_endpoint else {},
            signature_version=None if session.get_credentials() else UNSIGNED,
        )
        self._client: Any = session.client("s3", region_name=session.region_name or "us-east-1", config=config)

    def info(self, path: ObjectPath) -> ObjectInfo:
        """Fetch the metadata of an object."""
        head = self._client.head_object(Bucket=path.bucket, Key=path.key, ChecksumMode="ENABLED")
        etag = head["ETag"]
        fingerprint = f"{etag}-{head['LastModified'].timestamp()}"
        return ObjectInfo(head["ContentLength"], etag, fingerprint, self._checksum(path, head))

    def objects(self, bucket: str, prefix: str, limit: int | None) -> list[ListedFile]:
        """List at most `limit` objects whose names begin with a prefix."""
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=bucket, Prefix=prefix, PaginationConfig={"MaxItems": limit}
        )
        return [
            ListedFile(found["Key"], found["Size"], found["LastModified"].timestamp())
            for page in pages
            for found in page.get("Contents", ())
        ]

    def remove(self, bucket: str, keys: Sequence[str]) -> None:
        """Remove up to 1,000 objects by one request, except those that are gone already."""
        from botocore.exceptions import ClientError  # noqa: PLC0415

        wanted = {"Objects": [{"Key": key} for key in keys], "Quiet": True}
        for error in self._client.delete_objects(Bucket=bucket, Delete=wanted).get("Errors", ()):
            if error["Code"] != "NoSuchKey":
                status = 403 if error["Code"] == "AccessDenied" else 503
                raise ClientError({"Error": error, "ResponseMetadata": {"HTTPStatusCode": status}}, "DeleteObjects")

    def read(self, path: ObjectPath, version: str, start: int, size: int) -> bytes:
        """Read bytes of one version of an object."""
        span = f"bytes={start}-{start + size - 1}"
        found = self._client.get_object(Bucket=path.bucket, Key=path.key, Range=span, IfMatch=version)
        with found["Body"] as body:
            data: bytes = body.read()
        if len(data) != size:
            raise ConnectionError(f"{len(data)} bytes arrived instead of {size}")
        return data

    def upload(self, path: ObjectPath, file: Path) -> None:
        """Upload a file, and remove the object if its checksum is not that of the file."""
        from boto3.s3.transfer import TransferConfig  # noqa: PLC0415

        config = TransferConfig(multipart_threshold=PART_BYTES, multipart_chunksize=PART_BYTES)
        metadata = {_CHECKSUM_KEY: crc32c(chunks_of(file))}
        self._client.upload_file(str(file), path.bucket, path.key, ExtraArgs={"Metadata": metadata}, Config=config)
        taken = self._etag_checksum(path, self._client.head_object(Bucket=path.bucket, Key=path.key))
        if taken and taken.of(chunks_of(file)) != taken.value:
            self._client.delete_object(Bucket=path.bucket, Key=path.key)
            raise ConnectionError(f"the store received other bytes than were sent ({taken})")

    def classify(self, error: Exception) -> Failure:
        """Classify an error that this client raised."""
        from boto3.exceptions import Boto3Error  # noqa: PLC0415
        from botocore import exceptions  # noqa: PLC0415
        from urllib3.exceptions import HTTPError  # noqa: PLC0415

        # The upload manager wraps errors.
        if isinstance(error, Boto3Error) and isinstance(error.__context__, Exception):
            return self.classify(error.__context__)
        if isinstance(error, exceptions.ClientError):
            if error.response.get("Error", {}).get("Code") in _TRANSIENT_NAMES:
                return Failure.TRANSIENT
            return Failure.of_status(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode"))
        if isinstance(error, (exceptions.NoCredentialsError, exceptions.PartialCredentialsError)):
            return Failure.DENIED
        transient = (
            exceptions.ConnectionError,  # refused, unknown host, proxy or TLS failure
            exceptions.HTTPClientError,
            exceptions.IncompleteReadError,
            exceptions.FlexibleChecksumError,
            exceptions.CredentialRetrievalError,
            exceptions.MetadataRetrievalError,
            ConnectionError,
            TimeoutError,
            HTTPError,
        )
        broken = type(error).__name__ == "ResponseParserError"  # defined in botocore.parsers only
        return Failure.TRANSIENT if broken or isinstance(error, transient) else Failure.PERMANENT

    def _checksum(self, path: ObjectPath, head: dict[str, Any]) -> Checksum:
        """Return the best available checksum of an object, whoever wrote it."""
        own = head.get("Metadata", {}).get(_CHECKSUM_KEY) or head.get("ChecksumCRC32C", "")
        if own and "-" not in own:
            return Checksum("crc32c", own)
        found = self._etag_checksum(path, head)
        if not found:
            raise StorageError(
                f"{path}: the store gives no checksum that can be verified (the object is encrypted with a customer's "
                "key, or the store does not list the sizes of its parts). Copy the object with a full-object CRC32C "
                "checksum."
            )
        return found

    def _etag_checksum(self, path: ObjectPath, head: dict[str, Any]) -> Checksum | None:
        """Return the ETag as a checksum.

        The ETag of an object encrypted with a customer's key is no checksum. Verifying the ETag of a multipart upload
        takes the sizes of the parts.
        """
        etag = head["ETag"].strip('"')
        if "SSECustomerAlgorithm" in head or str(head.get("ServerSideEncryption", "")).startswith("aws:kms"):
            return None
        if "-" not in etag:
            return Checksum("md5", etag)
        sizes = self._part_sizes(path, head, int(etag.rpartition("-")[2]))
        return Checksum("md5-of-parts", etag, sizes) if sum(sizes) == head["ContentLength"] else None

    def _part_sizes(self, path: ObjectPath, head: dict[str, Any], count: int) -> tuple[int, ...]:
        """Return the sizes of an object's parts. Their sum is wrong if the store does not know them."""

        def size(number: int) -> int:
            part = self._client.head_object(Bucket=path.bucket, Key=path.key, PartNumber=number)
            return int(part["ContentLength"])

        first, last = size(1), size(count)
        total = int(head["ContentLength"])
        if (count - 1) * first + last == total:  # the usual case: all parts but the last have the same size
            return (first,) * (count - 1) + (last,)
        return tuple(size(number) for number in range(1, count + 1))


def s3_client() -> ObjectClient:
    """Return the client of this process, one per endpoint."""
    return _client_for(*(os.environ.get(name, "") for name in ENDPOINT_VARIABLES))


def minio_client() -> ObjectClient:
    """Return the client of Kubeflow's own store, which has no address that is known everywhere.

    Raises:
        StorageError: No variable names its address. Requests without it would go to Amazon.
    """
    if not any(os.environ.get(name) for name in ENDPOINT_VARIABLES):
        general = ENDPOINT_VARIABLES[-1]
        raise StorageError(
            f"minio://: {general} does not name the address of the store. Set it, for instance "
            f"{general}=http://seaweedfs.kubeflow:9000 inside the cluster."
        )
    return s3_client()


@cache
def _client_for(*_endpoints: str) -> S3Client:
    return S3Client()
