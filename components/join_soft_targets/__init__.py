"""Joins the parts of soft targets."""
