"""Sends the first records of a shard to the service: `python client.py http://HOST SHARD.tfrecord [SIGNATURE]`.

SIGNATURE is `serialized`, unless told, or `serialized_probabilities`, which take the records as they are, or
`serving_default` or `probabilities`, which take frames and their number; the model card describes all four.
"""

import base64
import json
import sys
import urllib.request

import tensorflow as tf


def serialized(records):
    """Instances of the signatures that parse records themselves."""
    return [{"b64": base64.b64encode(record).decode()} for record in records]


def dense(records):
    """Instances of the signatures that take the bytes of frames, with features in the model's order."""
    lists = [tf.train.SequenceExample.FromString(record).feature_lists.feature_list for record in records]
    features = [[[each.bytes_list.value[0] for each in of[name].feature] for name in ("rgb", "audio")] for of in lists]
    videos = [[list(b"".join(frame)) for frame in zip(*each, strict=True)] for each in features]
    padding = [[0] * len(videos[0][0])] * max(map(len, videos))  # all videos of a call are equally long
    return [{"frames": (each + padding)[: len(padding)], "num_frames": len(each)} for each in videos]


host, shard, signature = [*sys.argv[1:], "serialized"][:3]
records = list(tf.data.TFRecordDataset(shard).take(8).as_numpy_iterator())
instances = serialized(records) if signature.startswith("serialized") else dense(records)
body = json.dumps({"signature_name": signature, "instances": instances}).encode()
answer = urllib.request.urlopen(f"{host}/v1/models/yt8m:predict", body).read()
print(json.loads(answer)["predictions"])  # noqa: T201
