"""Variables of a SavedModel that are computed when it is loaded instead of being stored."""

from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

# No public name makes a variable without a value, and none keeps a variable out of the checkpoint. Public resources
# (lookup tables, `TrackableResource` alone) have names instead of owners: theirs either are never freed, or are gone as
# soon as the loaded object is, even where one of its signatures is still in use.
from tensorflow.python.ops.resource_variable_ops import UninitializedVariable

Tensor = Any


class LoadTimeVariable(UninitializedVariable):  # type: ignore[misc]
    """A variable that takes no memory here and no bytes on disk; a `LoadTimeInitializer` gives it its value.

    Args:
        shape: Its shape.
        name: Its name.
    """

    def __init__(self, shape: tuple[int, ...], name: str) -> None:
        super().__init__(shape=shape, dtype=tf.float32, trainable=False, name=name)

    def _serialize_to_tensors(self) -> dict[str, Tensor]:
        return {}

    def _restore_from_tensors(self, restored_tensors: Mapping[str, Tensor]) -> None:
        assert not restored_tensors

    def _export_to_saved_model_graph(
        self, object_map: dict[Any, Any], tensor_map: dict[Any, Any], **_options: Any
    ) -> list[Tensor]:
        """As any variable's, but the copy that C++ loaders see is kept out of the checkpoint, too."""
        copy = LoadTimeVariable(tuple(self.shape), self._shared_name)
        object_map[self] = copy
        tensor_map[self.handle] = copy.handle
        return [self.handle]


class LoadTimeInitializer(tf.saved_model.experimental.TrackableResource):  # type: ignore[misc]
    """Computes variables once, after the checkpoint was restored.

    Every loader runs the initializers of a SavedModel's resources: Python's, and by way of the init operation C++'s and
    TensorFlow Serving's. The resource itself is never created; there is only its handle.

    Args:
        values: Variables and the functions that put their values into the graph.
        shared_name: Name of the handle.
    """

    def __init__(self, values: list[tuple[LoadTimeVariable, Callable[[], Tensor]]], shared_name: str) -> None:
        super().__init__()
        self._values = values
        self._shared_name = shared_name

    def _create_resource(self) -> Tensor:
        return tf.raw_ops.VarHandleOp(dtype=tf.bool, shape=[], shared_name=self._shared_name)

    def _initialize(self) -> None:
        for variable, value in self._values:
            variable.assign(value())
