"""Generated videos in YouTube-8M's format."""
