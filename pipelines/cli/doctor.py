"""`yt8m doctor`."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console

from pipelines.cli.format import say
from pipelines.cli.options import cluster_options
from pipelines.cluster.access import ClusterAccess
from yt8m.words import count

if TYPE_CHECKING:
    from pipelines.doctor.finding import Finding

_WIDTH = 11


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for programs.")
@cluster_options
def doctor(access: ClusterAccess, as_json: bool) -> None:
    """Say what this machine has, and whether it is fit for `yt8m run`.

    With --host, also say whether that cluster is fit for `yt8m submit`. Every problem comes with its remedy. Exit code:
    0 fit, 1 not fit, 2 unusable arguments. Nothing is changed.
    """
    if access.host:
        access.check()
    console = Console()
    findings = []
    for finding in _findings(access):
        findings.append(finding)
        if not as_json:
            say(console, f"{'OK' if finding.is_ok else 'PROBLEM':8}{finding.subject:{_WIDTH}} {finding.text}.")
            if finding.remedy:
                say(console, f"{'':8}{'':{_WIDTH}} {finding.remedy}", "bold")
    problems = sum(not finding.is_ok for finding in findings)
    if as_json:
        found = {"fit": not problems, "findings": [finding.as_json() for finding in findings]}
        click.echo(json.dumps(found, indent=2))
    else:
        what = "This machine and this cluster are" if access.host else "This machine is"
        say(console, f"{what} not fit: {count(problems, 'problem')}." if problems else f"{what} fit.")
    sys.exit(1 if problems else 0)


def _findings(access: ClusterAccess) -> Iterator["Finding"]:
    from pipelines.doctor.credentials import check_gcs, check_s3
    from pipelines.doctor.devices import ask_driver, ask_tensorflow, check_gpu, check_tensorflow
    from pipelines.doctor.machine import check_docker, check_folder, check_keras, check_memory, check_processor
    from pipelines.doctor.packages import check_packages, check_python

    yield from (check_python(), check_packages(), check_keras())
    tensorflow = ask_tensorflow()
    yield from (check_tensorflow(tensorflow), check_gpu(tensorflow, ask_driver()))
    yield from (check_processor(), check_memory(), *check_folder(Path.cwd()))
    yield from (check_docker(), check_gcs(), check_s3())
    if access.host:
        from pipelines.doctor.kubeflow import check_cluster

        yield from check_cluster(access)
