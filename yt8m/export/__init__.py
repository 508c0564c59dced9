"""One TensorFlow SavedModel from several quantized Keras models, its budget, its card, and the way back in."""
