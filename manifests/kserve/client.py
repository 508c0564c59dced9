"""Client that sends the first records of a shard: `python client.py http://HOST SHARD.tfrecord [SIGNATURE]`.

SIGNATURE is `serialized` (default) or `serialized_probabilities`, which take records, or `serving_default` or
`probabilities`, which take frames and their number. The model card describes all four.
"""

import base64
import json
import sys
import urllib.request

import tensorflow as tf


def serialized(records):
    """Return the instances for the signatures that parse records."""
    return [{"b64": base64.b64encode(record).decode()} for record in records]


def dense(records):
    """Return the instances for the signatures that take frames, with features in the order of the model."""
    lists = [tf.train.SequenceExample.FromString(record).feature_lists.feature_list for record in records]
    features = [[[each.bytes_list.value[0] for each in of[name].feature] for name in ("rgb", "audio")] for of in lists]
    videos = [[list(b"".join(frame)) for frame in zip(*each, strict=True)] for each in features]
    padding = [[0] * len(videos[0][0])] * max(map(len, videos))  # all videos of a batch have the same length
    return [{"frames": (each + padding)[: len(padding)], "num_frames": len(each)} for each in videos]


host, shard, signature = [*sys.argv[1:], "serialized"][:3]
records = list(tf.data.TFRecordDataset(shard).take(8).as_numpy_iterator())
instances = serialized(records) if signature.startswith("serialized") else dense(records)
body = json.dumps({"signature_name": signature, "instances": instances}).encode()
answer = urllib.request.urlopen(f"{host}/v1/models/yt8m:predict", body).read()
print(json.loads(answer)["predictions"])  # noqa: T201
