"""Sends the first records of a shard to the service: `python client.py http://HOST SHARD.tfrecord`."""

import base64
import json
import sys
import urllib.request

import tensorflow as tf

shard = tf.data.TFRecordDataset(sys.argv[2]).take(8).as_numpy_iterator()
records = [{"b64": base64.b64encode(record).decode()} for record in shard]
body = json.dumps({"signature_name": "serialized", "instances": records}).encode()
url = f"{sys.argv[1]}/v1/models/yt8m:predict"
print(json.loads(urllib.request.urlopen(url, body).read())["predictions"])  # noqa: T201
