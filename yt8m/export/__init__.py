"""Export of an ensemble as one TensorFlow SavedModel: size budget, model card, loading, and prediction with it.

Imported by the stages. Modules that recipes and commands need import no TensorFlow: budget, description, latency,
model_card and shard_task.
"""
