"""Values of the settings that are `auto`. Imports configurations and the data format, but no Keras or TensorFlow."""
