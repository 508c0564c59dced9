"""Runs on this machine: KFP's local runner in a process of its own, containers, reruns.

Imports everything below `cli` except `cluster`.
"""
