import keras

from yt8m.layers.all_layers import all_layers


class Outer(keras.layers.Layer):
    def __init__(self):
        super().__init__(name="outer")
        self.inner = [keras.layers.Dense(2, name="inner")]

    def call(self, inputs):
        return self.inner[0](inputs)


def test_layers_inside_layers_and_models_are_found():
    inputs = keras.Input((3,))
    core = keras.Model(inputs, Outer()(inputs), name="core")
    model = keras.Model(inputs, core(inputs), name="model")
    assert {"core", "outer", "inner"} <= {layer.name for layer in all_layers(model)}
    assert model not in all_layers(model)
