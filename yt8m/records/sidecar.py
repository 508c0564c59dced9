"""Whether a sidecar of soft targets is whole: what can be seen of that without reading all of it."""

from pathlib import Path

from yt8m.records.framing import inspect_framing


def sidecar_fault(path: Path, videos: int) -> str:
    """Says what is wrong with a sidecar's framing or number of records, which takes a few bytes of every record.

    Args:
        path: The sidecar or its local copy.
        videos: Usable videos of its shard.

    Returns:
        Empty when nothing is.
    """
    framing = inspect_framing(path, verify_payloads=False)
    if framing.damage:
        return f"damaged at byte {framing.damage.offset}: {framing.damage.reason}"
    return "" if framing.records == videos else f"{framing.records} soft targets for {videos} videos"
