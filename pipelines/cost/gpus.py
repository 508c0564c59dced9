"""Accelerators by name, from their makers' data sheets."""

from dataclasses import dataclass

from yt8m.errors import ConfigError, suggest

TERA = 10**12
GIGA = 10**9


@dataclass(frozen=True)
class Gpu:
    """What a data sheet says of an accelerator; dense rates, without sparsity.

    Attributes:
        float32: Operations a second of float32 matrix products, in TF32 where there is TF32: TensorFlow and JAX use it.
        bfloat16: Operations a second of bfloat16 matrix products; float32's where there are none.
        bandwidth: Bytes a second between chip and memory.
        memory_bytes: Its memory.
        source: The data sheet.
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
"""One chip of each kind; SXM where there are several forms."""


def find_gpu(name: str) -> Gpu:
    """The accelerator of this name; nodes' labels (`nvidia-l4`, `nvidia-tesla-t4`) will do.

    Raises:
        ConfigError: It is unknown; names the nearest.
    """
    short = name.lower().removeprefix("nvidia-").removeprefix("tesla-")
    if short not in GPUS:
        remedy = f"{suggest(short, GPUS)} For another, give its measured rates: --videos-per-second MODEL=N."
        raise ConfigError(f"--gpu: unknown GPU '{name}'. {remedy}")
    return GPUS[short]
