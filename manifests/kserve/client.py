"""Client that sends the first records of a shard: `python client.py http://HOST SHARD.tfrecord [SIGNATURE]`.

SIGNATURE is `serialized` (default) or `serialized_probabilities`, which take records, or `serving_default` or
`probabilities`, which take frames and their number. The model card describes all four. For frames, the client needs
the model's description: `--description MODEL/assets.extra/ensemble.json`.
"""

import argparse
import base64
import json
import re
import sys
import urllib.error
import urllib.request
from http.client import HTTPException
from pathlib import Path

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError


def fail(problem):
    """Print a problem and end with the exit code of errors that the user can fix."""
    print(problem, file=sys.stderr)  # noqa: T201
    sys.exit(2)


def serialized(records):
    """Return the instances for the signatures that parse records."""
    return [{"b64": base64.b64encode(record).decode()} for record in records]


def dense(records, data):
    """Return the instances for the signatures that take frames, with features in the order of the model."""
    videos = [frames_of(record, number, data).tolist() for number, record in enumerate(records)]
    padding = [[0] * len(videos[0][0])] * max(map(len, videos))  # all videos of a batch have the same length
    return [{"frames": (each + padding)[: len(padding)], "num_frames": len(each)} for each in videos]


def frames_of(payload, number, data):
    """Return the frames of a record, or its means as the only frame: uint8 (T, D)."""
    try:
        record = tf.train.SequenceExample.FromString(payload)
    except DecodeError:
        fail(f"record {number}: not a SequenceExample. Send records with the features of the model.")
    lists, context = record.feature_lists.feature_list, record.context.feature
    parts = []
    for name, size in data["features"].items():
        if name in lists and lists[name].feature:
            frames = [frame_of(each, name, data) for each in lists[name].feature]
        else:
            key = next((key for key in (f"mean_{name}", name) if key in context and context[key].float_list.value), "")
            frames = [frame_of(context[key], name, data)] if key else []
        if not frames or {len(each) for each in frames} != {size}:
            fail(
                f"record {number}: no frames of {size} values of '{name}'. It has the feature lists {sorted(lists)}, "
                f"and the context features {sorted(context)}. Send records with the features of the model."
            )
        parts.append(np.stack(frames))
    if len({len(each) for each in parts}) > 1:
        fail(f"record {number}: features have different numbers of frames, {[len(each) for each in parts]}.")
    return np.concatenate(parts, axis=1)


def frame_of(feature, name, data):
    """Return the bytes of a frame, which are quantized if the frame holds floats."""
    if feature.bytes_list.value:
        return np.frombuffer(feature.bytes_list.value[0], np.uint8)
    low, high = data["ranges"].get(name, (-2.0, 2.0))
    scale, offset = (high - low) / 255, (high - low) / 512 + low
    values = np.array(feature.float_list.value, np.float32)
    return np.clip(np.rint((values - np.float32(offset)) / np.float32(scale)), 0, 255).astype(np.uint8)


def read_records(shard):
    """Return the first records of a shard."""
    try:
        records = list(tf.data.TFRecordDataset(shard).take(8).as_numpy_iterator())
    except tf.errors.OpError as error:
        reason = re.sub(r"\{\{.*?\}\} | \[Op:.*", "", error.message)  # without the names of operations
        fail(f"{shard}: cannot be read: {reason}. Give a TFRecord file.")
    return records or fail(f"{shard}: has no records. Give another shard.")


def read_description(path):
    """Return what the description of a model says of its data: features and ranges."""
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"))["data"]
        return {"features": dict(data["features"]), "ranges": dict(data.get("ranges", {}))}
    except (OSError, ValueError, KeyError, TypeError) as error:
        fail(f"--description: expected assets.extra/ensemble.json of the model, received {path}: {error!r}")


parser = argparse.ArgumentParser(description="Send the first records of a shard to a served model.")
parser.add_argument("host", help="address of the server, such as http://localhost:8501")
parser.add_argument("shard", help="TFRecord file of which the first 8 records are sent")
parser.add_argument("signature", nargs="?", default="serialized", help="signature of the model; default: serialized")
parser.add_argument("--description", help="ensemble.json of the model, for the signatures that take frames")
parser.add_argument("--model", default="yt8m", help="name of the served model")
arguments = parser.parse_args()
if arguments.signature.startswith("serialized"):
    instances = serialized(read_records(arguments.shard))
elif arguments.description:
    instances = dense(read_records(arguments.shard), read_description(arguments.description))
else:
    fail("--description: give assets.extra/ensemble.json of the model, which names its features.")
body = json.dumps({"signature_name": arguments.signature, "instances": instances}).encode()
try:
    answer = urllib.request.urlopen(f"{arguments.host}/v1/models/{arguments.model}:predict", body).read()
    predictions = json.loads(answer)["predictions"]
except urllib.error.HTTPError as error:
    fail(f"{arguments.host}: {error.code} {error.reason}: {error.read().decode('utf-8', 'replace')}")
except (OSError, ValueError, LookupError, TypeError, HTTPException) as error:  # no server, or another one
    fail(f"{arguments.host}: no predictions: {error}. Give the address of a running server: http://HOST:PORT.")
print(predictions)  # noqa: T201
