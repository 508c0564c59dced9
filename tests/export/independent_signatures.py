"""Calls the signatures of an exported model with TensorFlow alone: this project and Keras cannot be imported here.

Usage: python -I independent_signatures.py MODEL INPUTS.npz OUTPUTS.npz
"""

import sys
from typing import Any

sys.modules["yt8m"] = sys.modules["keras"] = None

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

_, folder, inputs, outputs = sys.argv
given = np.load(inputs)


def serialize(frames):
    record = tf.train.SequenceExample()
    for name, values in (("rgb", frames[:, :12]), ("audio", frames[:, 12:])):
        for row in values:
            record.feature_lists.feature_list[name].feature.add().bytes_list.value.append(row.tobytes())
    return record.SerializeToString()


records = [serialize(video[:length]) for video, length in zip(given["frames"], given["num_frames"], strict=True)]
first, second = tf.saved_model.load(folder), tf.saved_model.load(folder)
dense = {"frames": tf.constant(given["frames"]), "num_frames": tf.constant(given["num_frames"])}
top = first.signatures["serving_default"](**dense)
parsed = first.signatures["serialized"](records=tf.constant(records))
# The bytes stand for floats from -2 to 2.
floats = given["frames"].astype(np.float32) * np.float32(4 / 255) + np.float32(4 / 512 - 2)
named = {"rgb": tf.constant(floats[:, :, :12]), "audio": tf.constant(floats[:, :, 12:])}
from_floats = first.signatures["floats"](**named, num_frames=dense["num_frames"])
floats_full = first.signatures["floats_probabilities"](**named, num_frames=dense["num_frames"])["probabilities"]
full = first.signatures["probabilities"](**dense)["probabilities"]
parsed_full = first.signatures["serialized_probabilities"](records=tf.constant(records))["probabilities"]
del first
again = second.signatures["serving_default"](**dense)
with tf.compat.v1.Session(graph=tf.Graph()) as session:
    # The way of TensorFlow Serving: restore, run the init operation, feed and fetch by name.
    meta = tf.compat.v1.saved_model.load(session, ["serve"], folder)
    signature = meta.signature_def["serving_default"]
    served = session.run(
        {name: tensor.name for name, tensor in signature.outputs.items()},
        {signature.inputs[name].name: given[name] for name in ("frames", "num_frames")},
    )
results = {"top": top, "parsed": parsed, "again": again, "served": served, "floats": from_floats}
arrays: dict[str, Any] = {
    f"{run}_{name}": np.asarray(value) for run, values in results.items() for name, value in values.items()
}
np.savez(outputs, full=full, parsed_full=parsed_full, floats_full=floats_full, **arrays)
