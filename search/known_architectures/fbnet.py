"""FBNet: 22 blocks, one of nine candidates each (Wu et al., FBNet, CVPR 2019, table 2)."""

from __future__ import annotations

from pathlib import Path
from typing import final

from devices import WrongUse
from latency import ArchitectureCodes, candidate_counts, one_hot
from search.known_architectures.measured import (
    Integers,
    MeasuredArchitectures,
    latencies_s,
    matrix,
    outside,
    read_arrays,
)

UNITS = 22
CANDIDATES = 9

_PREFIX = "latency_ms/"


@final
class FbnetPicks:
    """Architectures as one candidate for each of 22 units, counted from 0."""

    @staticmethod
    def codes(picks: Integers) -> ArchitectureCodes:
        """Which candidate each unit picked, and how often each candidate was picked.

        Args:
            picks: shape (n, 22), each 0 to 8.

        Raises:
            WrongUse: the shape is another one, or a row has a candidate that there is not.
        """
        wrong = outside(matrix(picks, "FBNet picks", UNITS), tuple(range(CANDIDATES)), "candidate")
        if wrong:
            raise WrongUse(f"Every unit must pick one of {CANDIDATES} candidates; {len(wrong)} rows do not: {wrong}.")
        return _codes(picks)

    @staticmethod
    def read(file: Path) -> MeasuredArchitectures:
        """An npz file with ``arch`` (rows, 22), ``op_names`` (9,) and ``latency_ms/DEVICE`` (rows,).

        Raises:
            WrongUse: it cannot be read or has not these arrays.
        """
        arrays = read_arrays(file, ("arch", "op_names"), _PREFIX)
        if len(arrays["op_names"]) != CANDIDATES:
            raise WrongUse(f"{file} must name {CANDIDATES} candidates in op_names; got {len(arrays['op_names'])}.")
        picks = matrix(arrays["arch"], f"arch of {file}", UNITS)
        wrong = outside(picks, tuple(range(CANDIDATES)), "candidate")
        time_s = latencies_s(arrays, _PREFIX, len(picks))
        return MeasuredArchitectures.checked(_codes(picks), time_s, picks, wrong)


def _codes(picks: Integers) -> ArchitectureCodes:
    return ArchitectureCodes.of(
        {"pick": one_hot(picks, CANDIDATES)}, {"candidate": candidate_counts(picks, CANDIDATES)}
    )
