"""Data sheets of GPUs by name."""

from dataclasses import dataclass

from yt8m.errors import ConfigError, suggest

TERA = 10**12
GIGA = 10**9


@dataclass(frozen=True)
class Gpu:
    """Peak rates of a GPU from its data sheet: dense, without sparsity.

    Attributes:
        float32: float32 matrix products in FLOP/s; TF32 where supported, which TensorFlow and JAX use.
        bfloat16: bfloat16 matrix products in FLOP/s; the rate of float32 where bfloat16 is not supported.
        bandwidth: Memory bandwidth in bytes per second.
        memory_bytes: Memory in bytes.
        source: Address of the data sheet.
    """

    float32: float
    bfloat16: float
    bandwidth: float
    memory_bytes: int
    source: str


_NVIDIA = "https://www.nvidia.com/en-us/data-center"

GPUS: dict[str, Gpu] = {
    "t4": Gpu(8.1 * TERA, 8.1 * TERA, 300 * GIGA, 16 * GIGA, f"{_NVIDIA}/tesla-t4/"),
    "v100": Gpu(15.7 * TERA, 15.7 * TERA, 900 * GIGA, 16 * GIGA, f"{_NVIDIA}/v100/"),
    "l4": Gpu(60 * TERA, 121 * TERA, 300 * GIGA, 24 * GIGA, f"{_NVIDIA}/l4/"),
    "a10": Gpu(62.5 * TERA, 125 * TERA, 600 * GIGA, 24 * GIGA, f"{_NVIDIA}/products/a10-gpu/"),
    "l40s": Gpu(183 * TERA, 362 * TERA, 864 * GIGA, 48 * GIGA, f"{_NVIDIA}/l40s/"),
    "a100-40gb": Gpu(156 * TERA, 312 * TERA, 1555 * GIGA, 40 * GIGA, f"{_NVIDIA}/a100/"),
    "a100-80gb": Gpu(156 * TERA, 312 * TERA, 2039 * GIGA, 80 * GIGA, f"{_NVIDIA}/a100/"),
    "h100": Gpu(494 * TERA, 989 * TERA, 3350 * GIGA, 80 * GIGA, f"{_NVIDIA}/h100/"),
    "h200": Gpu(494 * TERA, 989 * TERA, 4800 * GIGA, 141 * GIGA, f"{_NVIDIA}/h200/"),
}
"""Data sheets by name; the SXM form where there are several."""


def gpu_by_name(name: str) -> Gpu:
    """Look up a GPU by its name or the label of a cluster's nodes (`nvidia-l4`, `nvidia-tesla-t4`).

    Raises:
        ConfigError: The GPU is unknown; the message names the nearest one.
    """
    short = name.lower().removeprefix("nvidia-").removeprefix("tesla-")
    if short not in GPUS:
        remedy = f"{suggest(short, GPUS)} For another GPU, give measured rates: --videos-per-second MODEL=N."
        raise ConfigError(f"--gpu: unknown GPU '{name}'. {remedy}")
    return GPUS[short]
