"""Computes the GAP of an exported model from shards with TensorFlow and NumPy alone.

This project and Keras cannot be imported here.

Usage: python -I independent_gap.py MODEL SHARD.tfrecord...

Prints JSON: the number of videos, the GAP over the top 20 (equation 1 of the paper), and the largest difference between
the scores of the signature for records and of the one for frames.
"""

import json
import sys

sys.modules["yt8m"] = sys.modules["keras"] = None

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

BATCH = 32
TOP_K = 20

_, folder, *shards = sys.argv
signatures = tf.saved_model.load(folder).signatures


def frames_of(video):
    lists = video.feature_lists.feature_list
    parts = [[np.frombuffer(f.bytes_list.value[0], np.uint8) for f in lists[n].feature] for n in ("rgb", "audio")]
    return np.concatenate([np.array(part) for part in parts], axis=1)


def run_both(records):
    """Return classes and scores of the signature for records, and the largest difference to the one for frames."""
    frames = [frames_of(tf.train.SequenceExample.FromString(record)) for record in records]
    lengths = np.array([len(each) for each in frames], np.int32)
    padded = np.zeros((len(frames), lengths.max(), frames[0].shape[1]), np.uint8)
    for row, each in zip(padded, frames, strict=True):
        row[: len(each)] = each
    top = signatures["serialized"](records=tf.constant(records))
    dense = signatures["serving_default"](frames=tf.constant(padded), num_frames=tf.constant(lengths))
    return top["classes"].numpy(), top["scores"].numpy(), np.abs(top["scores"] - dense["scores"]).max()


def gap(predictions, positives):
    """Compute equation 1: the sum of the precision at each correct prediction, over the number of labels."""
    precision, right = 0.0, 0
    for place, (_, hit) in enumerate(sorted(predictions, key=lambda each: -each[0]), 1):
        right += hit
        precision += hit * right / place
    return precision / positives


predictions, positives, videos, largest = [], 0, 0, 0.0
for batch in tf.data.TFRecordDataset(shards).batch(BATCH).as_numpy_iterator():
    records = batch.tolist()
    classes, scores, difference = run_both(records)
    largest = max(largest, float(difference))
    for record, row_classes, row_scores in zip(records, classes, scores, strict=True):
        labels = set(tf.train.SequenceExample.FromString(record).context.feature["labels"].int64_list.value)
        positives += len(labels)
        videos += 1
        top = zip(row_classes[:TOP_K].tolist(), row_scores[:TOP_K].tolist(), strict=True)
        predictions += [(score, label in labels) for label, score in top]
print(json.dumps({"videos": videos, "gap": gap(predictions, positives), "difference": largest}))  # noqa: T201
