"""The steps of the pipeline: one plain function per file, over paths and a typed configuration."""
