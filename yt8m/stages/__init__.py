"""The steps of the pipeline: one plain function per module, over paths and a typed configuration.

May import everything else in `yt8m`, but TensorFlow and Keras only inside functions, because recipes import the
configurations. Components, recipes and commands may import it.
"""
