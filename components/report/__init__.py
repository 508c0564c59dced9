"""Reports what a run achieved."""
