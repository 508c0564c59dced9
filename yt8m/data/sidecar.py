"""Whether a sidecar of soft targets is whole and of the right make: what can be seen without reading all of it."""

from pathlib import Path

from yt8m.data.framing import inspect_framing, read_payloads


def sidecar_fault(path: Path, recipe_hash: str, videos: int | None = None) -> str:
    """Say what is wrong with a sidecar's framing, make or number of videos; reads a few bytes of every record.

    Args:
        path: The sidecar or its local copy.
        recipe_hash: What must have made it (`SoftTargetManifest.recipe_hash`), which its first record tells.
        videos: Usable videos of its shard, where that is known.

    Returns:
        Empty when nothing is.
    """
    framing = inspect_framing(path, verify_payloads=False)
    if framing.damage:
        return f"damaged at byte {framing.damage.offset}: {framing.damage.reason}"
    (made_by,) = read_payloads(path, 0, 1)
    if made_by != recipe_hash.encode():
        received = made_by.decode("ascii", "replace")
        return f"made by recipe {received[:12]!r} where {recipe_hash[:12]!r} is expected: other teachers or other data"
    found = framing.records - 1
    return "" if videos in {None, found} else f"{found} soft targets for {videos} videos"
