"""Videos in shards: their format, and how they are read."""
