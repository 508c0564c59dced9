"""What a run achieved, for people (one HTML page) and for programs (one JSON file)."""
