"""Checks of this machine and of a cluster for `yt8m doctor`, one function per subject.

May import everything below `cli`.
"""
