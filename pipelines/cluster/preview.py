"""Forecast of a run in a cluster before it is submitted: which of its steps were done under its root."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from pipelines.kubeflow.registry import describe_image
from pipelines.kubeflow.spec import ATTEMPT_PARAMETER, Spec, SpecGraph
from yt8m import storage
from yt8m.errors import ConfigError, StorageError
from yt8m.records.files import missing_files
from yt8m.records.record import NodeRecord, record_uri, records_of_work

# Number of steps to look at in parallel.
_STEPS_AT_ONCE = 8
# Reason of a step that is never taken from earlier work, and what it means for the steps after it.
_LOOKS = "looks at the data, which have no fingerprints"
_IF_SAME = "done if the data have not changed"


def forecast(spec: Spec, root: str) -> Iterator[str]:
    """Say in lines of text which steps are done, which would run, and whether their images are there.

    Args:
        spec: The pipeline.
        root: URI of the run's root.

    Yields:
        A line for each step, a summary, and a line for each image.
    """
    graph = SpecGraph(spec)
    try:
        reasons = reasons_to_run(graph, root)
    except StorageError as error:
        yield f"{graph.name}: {len(graph.nodes)} steps. Which of them are done cannot be known: {error}"
    else:
        width = max(map(len, reasons))
        done = _IF_SAME if _LOOKS in reasons.values() else "done"
        yield from (f"{name:<{width}}  {f'runs: {why}' if why else done}" for name, why in reasons.items())
        run = sum(map(bool, reasons.values()))
        done = done.replace("done", "are done", 1)
        yield f"{graph.name}: {len(reasons) - run} of {len(reasons)} steps {done} under {root}, {run} would run"
    yield from (f"Image {describe_image(image)}" for image in sorted({graph.image(name) for name in graph.nodes}))


def reasons_to_run(graph: SpecGraph, root: str) -> dict[str, str]:
    """Return by node why its stage would be executed; an empty string for a node that is done.

    A node is done if its record is under the root, all files in it are there, and all nodes it depends on are done.
    Contents of files are not read. A node that looks at data without fingerprints runs, and may find the same data.

    Args:
        graph: The pipeline.
        root: URI of the run's root.

    Raises:
        StorageError: The store cannot be reached or denies access.
    """
    first, *others = graph.nodes
    reasons = {first: _reason(graph, root, first)}  # alone, since it fails if the store cannot be reached
    with ThreadPoolExecutor(_STEPS_AT_ONCE) as pool:
        reasons |= zip(others, pool.map(lambda name: _reason(graph, root, name), others), strict=True)
    for name, node in graph.nodes.items():  # each after those it depends on
        changed = [other for other in graph.nodes if other in node.dependencies and reasons[other] not in {"", _LOOKS}]
        if changed and not reasons[name]:
            reasons[name] = f"depends on {changed[0]}"
    return reasons


def _reason(graph: SpecGraph, root: str, name: str) -> str:
    """Return why a step cannot take over earlier work; an empty string if it can, as far as it alone is concerned."""
    uri = record_uri(root, name, graph.work(name))
    if not storage.exists(uri):
        # Of a run whose data had other marks, or none, since they were not read.
        found = records_of_work(root, name, graph.constant(name, "key"), graph.constant(name, ATTEMPT_PARAMETER))
        if not found:
            return "no record of this work"
        uri = found[0]
    try:
        record = NodeRecord.parse_json(storage.read_text(uri), uri)
    except ConfigError:
        return f"its record cannot be read: {uri}"
    if not record.files:
        return "its record lists no files"
    version = graph.constant(name, "data_version")
    if not record.inputs.get("data", version).startswith(version):
        return "the data have changed"
    missing = missing_files(record)
    if missing:
        return f"{len(missing)} of its files are gone, such as {missing[0]}"
    return "" if graph.task(name).get("cachingOptions") else _LOOKS
