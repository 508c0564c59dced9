"""Runs on this machine: the run's folder, KFP's local runner in a worker process, containers and reruns.

May import everything below `cli` except `cluster`.
"""
