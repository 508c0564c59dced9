"""Weights and members of an ensemble, searched on its members' predictions."""
