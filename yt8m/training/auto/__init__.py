"""Values that follow from the counts of the data. Imports configurations and the data format, but no Keras."""
