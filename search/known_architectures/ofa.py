"""Once-for-all MobileNetV3: five stages of up to four layers (Cai et al., Once-for-all, ICLR 2020, section 3.1)."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias, final

import numpy as np
import numpy.typing as npt

from devices import WrongUse
from latency import ArchitectureCodes, one_hot
from search.known_architectures.measured import (
    Integers,
    MeasuredArchitectures,
    latencies_s,
    matrix,
    outside,
    read_arrays,
)

Array: TypeAlias = npt.NDArray[np.float64]

STAGES, LAYERS = 5, 4
KERNELS, EXPANSIONS, DEPTHS = (3, 5, 7), (3, 4, 6), (2, 3, 4)
RESOLUTIONS = tuple(range(128, 225, 4))

_PREFIX = "latency_ms/"
_FULL_SIZE = 224.0


@final
class OfaMobileNetV3:
    """Architectures as kernel and expansion of each layer, depth of each stage, and the side of the image."""

    @staticmethod
    def codes(kernels: Integers, expansions: Integers, depths: Integers, resolution: Integers) -> ArchitectureCodes:
        """What each layer that runs is, alone and times the area of the image.

        Layers beyond the depth of their stage do not run: whatever kernel and expansion are written there leaves no
        trace in the codes.

        Args:
            kernels: of each layer, 3, 5 or 7, shape (n, 20).
            expansions: likewise, 3, 4 or 6.
            depths: layers of each stage, 2, 3 or 4, shape (n, 5).
            resolution: side of the image, 128 to 224 in steps of 4, shape (n, 1).

        Raises:
            WrongUse: a shape is another one, or a row has a value that there is not.
        """
        parts = _parts(kernels, expansions, depths, resolution)
        wrong = _wrong(*parts)
        if wrong:
            raise WrongUse(f"Every value must be one of the space's; {len(wrong)} rows have others: {wrong}.")
        return _codes(*parts)

    @staticmethod
    def read(file: Path) -> MeasuredArchitectures:
        """An npz file with ``ks`` and ``e`` (rows, 20), ``d`` (rows, 5), ``r`` (rows, 1), ``latency_ms/DEVICE_BATCH``.

        Raises:
            WrongUse: it cannot be read or has not these arrays.
        """
        arrays = read_arrays(file, ("ks", "e", "d", "r"), _PREFIX)
        parts = _parts(*(arrays[name] for name in ("ks", "e", "d", "r")))
        time_s = latencies_s(arrays, _PREFIX, len(parts[0]))
        identity = np.concatenate([_picks(*parts[:3]), parts[3]], axis=1)
        return MeasuredArchitectures.checked(_codes(*parts), time_s, identity, _wrong(*parts))


def _parts(
    kernels: Integers, expansions: Integers, depths: Integers, resolution: Integers
) -> tuple[Integers, Integers, Integers, Integers]:
    return (
        matrix(kernels, "kernels", STAGES * LAYERS),
        matrix(expansions, "expansions", STAGES * LAYERS),
        matrix(depths, "depths", STAGES),
        matrix(resolution, "resolution", 1),
    )


def _wrong(kernels: Integers, expansions: Integers, depths: Integers, resolution: Integers) -> dict[int, str]:
    runs = _runs(depths)
    return {
        **outside(resolution, RESOLUTIONS, "resolution"),
        **outside(np.where(runs, expansions, EXPANSIONS[0]), EXPANSIONS, "expansion"),
        **outside(np.where(runs, kernels, KERNELS[0]), KERNELS, "kernel"),
        **outside(depths, DEPTHS, "depth"),
    }


def _runs(depths: Integers) -> npt.NDArray[np.bool_]:
    """Whether each layer is within the depth of its stage, shape (n, 20)."""
    return np.asarray((np.arange(LAYERS) < depths[:, :, None]).reshape(len(depths), -1))


def _picks(kernels: Integers, expansions: Integers, depths: Integers) -> Integers:
    """Which of the nine kinds each layer is, -1 where it does not run, shape (n, 20)."""
    kind = np.searchsorted(KERNELS, kernels) * len(EXPANSIONS) + np.searchsorted(EXPANSIONS, expansions)
    return np.where(_runs(depths), kind, -1).astype(np.int64)


def _codes(kernels: Integers, expansions: Integers, depths: Integers, resolution: Integers) -> ArchitectureCodes:
    kinds = len(KERNELS) * len(EXPANSIONS)
    layers = one_hot(_picks(kernels, expansions, depths), kinds)
    stages = layers.reshape(-1, STAGES, LAYERS, kinds).sum(axis=2).reshape(len(layers), -1)
    side = resolution / _FULL_SIZE
    area: Array = side**2
    sides = np.asarray(resolution == np.array(RESOLUTIONS), dtype=np.float64)
    return ArchitectureCodes.of(
        {"layer": layers, "resolution": sides},
        {
            "stage": stages,
            "size": np.concatenate([side, area, area**2], axis=1),
            "layer by area": layers * area,
            "stage by area": stages * area,
        },
    )
