"""S3 and stores that speak its protocol: MinIO, SeaweedFS, Ceph."""

import os
from functools import cache
from pathlib import Path
from typing import Any

from yt8m.errors import StorageError
from yt8m.storage.checksums import Checksum, chunks_of, crc32c
from yt8m.storage.objects import ObjectClient, ObjectInfo, Place, Trouble
from yt8m.storage.ranges import RANGES_AT_ONCE
from yt8m.storage.retry import CONNECT_SECONDS, SILENCE_SECONDS

ENDPOINT_VARIABLES = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
# Larger files are uploaded in parts of this size.
PART_BYTES = 16 << 20
# Our own checksum beside the objects that we write: the stores' are not the same everywhere.
_CHECKSUM_KEY = "crc32c"
_TRANSIENT_NAMES = (
    "BadDigest",
    "RequestTimeout",
    "SlowDown",
    "XAmzContentSHA256Mismatch",
    "XAmzContentChecksumMismatch",
)


class S3Client:
    """Objects in S3 or in the store that `AWS_ENDPOINT_URL` names.

    Credentials and region are found as boto3 finds them; without any, only public buckets can be read.

    Raises:
        StorageError: boto3 is not installed.
    """

    access_remedy = (
        "Give these credentials the rights s3:GetObject, s3:PutObject and s3:ListBucket on the bucket; without "
        "credentials, set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
    )

    def __init__(self) -> None:
        try:
            import boto3  # noqa: PLC0415 - an extra, and slow to import
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
            # A store's own address has no subdomain per bucket.
            s3={"addressing_style": "path"} if own_endpoint else {},
            signature_version=None if session.get_credentials() else UNSIGNED,
        )
        self._client: Any = session.client("s3", region_name=session.region_name or "us-east-1", config=config)

    def info(self, place: Place) -> ObjectInfo:
        """What the store says about an object."""
        head = self._client.head_object(Bucket=place.bucket, Key=place.key, ChecksumMode="ENABLED")
        etag = head["ETag"]
        fingerprint = f"{etag}-{head['LastModified'].timestamp()}"
        return ObjectInfo(head["ContentLength"], etag, fingerprint, self._checksum(place, head))

    def keys(self, bucket: str, prefix: str, limit: int | None) -> list[str]:
        """Names of the objects, `limit` at most, whose names begin with a prefix."""
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=bucket, Prefix=prefix, PaginationConfig={"MaxItems": limit}
        )
        return [found["Key"] for page in pages for found in page.get("Contents", ())]

    def read(self, place: Place, version: str, start: int, size: int) -> bytes:
        """Bytes of a version of an object."""
        span = f"bytes={start}-{start + size - 1}"
        found = self._client.get_object(Bucket=place.bucket, Key=place.key, Range=span, IfMatch=version)
        with found["Body"] as body:
            data: bytes = body.read()
        if len(data) != size:
            raise ConnectionError(f"{len(data)} bytes came where {size} were asked for")
        return data

    def upload(self, place: Place, path: Path) -> None:
        """Make a file an object; what the store took is compared, and removed if it is not the file."""
        from boto3.s3.transfer import TransferConfig  # noqa: PLC0415

        config = TransferConfig(multipart_threshold=PART_BYTES, multipart_chunksize=PART_BYTES)
        metadata = {_CHECKSUM_KEY: crc32c(chunks_of(path))}
        self._client.upload_file(str(path), place.bucket, place.key, ExtraArgs={"Metadata": metadata}, Config=config)
        taken = self._etag_checksum(place, self._client.head_object(Bucket=place.bucket, Key=place.key))
        if taken and taken.of(chunks_of(path)) != taken.value:
            self._client.delete_object(Bucket=place.bucket, Key=place.key)
            raise ConnectionError(f"the store took other bytes ({taken}) than were sent")

    def trouble(self, error: Exception) -> Trouble:
        """What an error means."""
        from boto3.exceptions import Boto3Error  # noqa: PLC0415
        from botocore import exceptions  # noqa: PLC0415
        from urllib3.exceptions import HTTPError  # noqa: PLC0415

        if isinstance(error, Boto3Error) and isinstance(error.__context__, Exception):  # of the upload manager
            return self.trouble(error.__context__)
        if isinstance(error, exceptions.ClientError):
            if error.response.get("Error", {}).get("Code") in _TRANSIENT_NAMES:
                return Trouble.TRANSIENT
            return Trouble.of_status(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode"))
        if isinstance(error, (exceptions.NoCredentialsError, exceptions.PartialCredentialsError)):
            return Trouble.DENIED
        transient = (
            exceptions.ConnectionError,  # no connection: refused, no name, no proxy, no TLS
            exceptions.HTTPClientError,
            exceptions.IncompleteReadError,
            exceptions.FlexibleChecksumError,
            exceptions.CredentialRetrievalError,
            exceptions.MetadataRetrievalError,
            ConnectionError,
            TimeoutError,
            HTTPError,
        )
        broken = type(error).__name__ == "ResponseParserError"  # of botocore.parsers, not among its exceptions
        return Trouble.TRANSIENT if broken or isinstance(error, transient) else Trouble.LASTING

    def _checksum(self, place: Place, head: dict[str, Any]) -> Checksum:
        """The best checksum that there is of an object, by whomever it was written."""
        own = head.get("Metadata", {}).get(_CHECKSUM_KEY) or head.get("ChecksumCRC32C", "")
        if own and "-" not in own:
            return Checksum("crc32c", own)
        found = self._etag_checksum(place, head)
        if not found:
            raise StorageError(
                f"{place}: the store tells no checksum that can be verified (it is encrypted with a key of its own, or "
                "the sizes of its parts are not told). Copy the object once with a CRC32C checksum of the full object."
            )
        return found

    def _etag_checksum(self, place: Place, head: dict[str, Any]) -> Checksum | None:
        """The ETag as a checksum.

        That of an object encrypted with a customer's key is none; that of parts needs their sizes.
        """
        etag = head["ETag"].strip('"')
        if "SSECustomerAlgorithm" in head or str(head.get("ServerSideEncryption", "")).startswith("aws:kms"):
            return None
        if "-" not in etag:
            return Checksum("md5", etag)
        sizes = self._part_sizes(place, head, int(etag.rpartition("-")[2]))
        return Checksum("md5-of-parts", etag, sizes) if sum(sizes) == head["ContentLength"] else None

    def _part_sizes(self, place: Place, head: dict[str, Any], count: int) -> tuple[int, ...]:
        """Sizes of the parts in which an object was uploaded; their sum is wrong where a store does not tell them."""

        def size(number: int) -> int:
            part = self._client.head_object(Bucket=place.bucket, Key=place.key, PartNumber=number)
            return int(part["ContentLength"])

        first, last = size(1), size(count)
        if (count - 1) * first + last == head["ContentLength"]:  # nearly always: all but the last are of one size
            return (first,) * (count - 1) + (last,)
        return tuple(size(number) for number in range(1, count + 1))


def s3_client() -> ObjectClient:
    """The process's client; another one where the endpoint is another."""
    return _client_for(*(os.environ.get(name, "") for name in ENDPOINT_VARIABLES))


@cache
def _client_for(*_endpoints: str) -> S3Client:
    return S3Client()
