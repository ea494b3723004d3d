"""How many architectures per second does a lookup table price?

The latencies of random architectures are summed in three ways: `lut.sum_of_picks` for all at once, one architecture
at a time in plain Python, and one at a time with numpy. All three must give the same sums, and all are timed in the
same run; a rate is the median over the repeats. Run it from the root of the repository:

    python benchmarks/lookup.py --architectures 1000000 --repeats 5
"""

from __future__ import annotations

import argparse
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import numpy.typing as npt

from devices import read_device
from lut import sum_of_picks

Array: TypeAlias = npt.NDArray[np.float64]
Picks: TypeAlias = npt.NDArray[np.intp]

UNITS, CANDIDATES = 22, 13
"""The grid of SqueezeNAS Large."""

LOOPED = 20_000
"""Architectures that the two loops are given: enough to time them, few enough not to wait for them."""


def loop_in_python(costs: Array, fixed: float, architectures: Picks) -> Array:
    """Sums by two nested loops over lists, the way a lookup table is usually read."""
    table, sums = costs.tolist(), []
    for picks in architectures.tolist():
        cost = fixed
        for unit, pick in enumerate(picks):
            cost += table[unit][pick]
        sums.append(cost)
    return np.array(sums)


def loop_with_numpy(costs: Array, fixed: float, architectures: Picks) -> Array:
    """Sums by one fancy index for each architecture."""
    units = np.arange(len(costs))
    return np.array([fixed + costs[units, picks].sum() for picks in architectures])


METHODS: tuple[tuple[str, Callable[[Array, float, Picks], Array]], ...] = (
    ("sum_of_picks", sum_of_picks),
    ("loop in Python", loop_in_python),
    ("loop with numpy", loop_with_numpy),
)


def rate(price: Callable[[Array, float, Picks], Array], costs: Array, architectures: Picks, repeats: int) -> float:
    """Architectures per second, the median over ``repeats`` after one call to warm up."""
    price(costs, 1e-3, architectures)
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        price(costs, 1e-3, architectures)
        seconds.append(time.perf_counter() - started)
    return len(architectures) / statistics.median(seconds)


def positive(text: str) -> int:
    """A whole number of at least 1.

    Raises:
        ArgumentTypeError: it is none.
    """
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1; got {text!r}")
    return int(text)


def main() -> None:
    """Check the three ways against each other, time them, print the rates."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument(
        "--architectures",
        type=positive,
        default=1_000_000,
        metavar="N",
        help=f"architectures to price at once; the loops get {LOOPED} of them (default %(default)s)",
    )
    parser.add_argument(
        "--repeats", type=positive, default=5, metavar="N", help="times each way is timed (default %(default)s)"
    )
    options = parser.parse_args()

    draw = np.random.default_rng(0)
    costs = draw.random((UNITS, CANDIDATES))
    architectures = draw.integers(CANDIDATES, size=(options.architectures, UNITS), dtype=np.intp)
    some = architectures[:LOOPED]
    for name, price in METHODS:
        # The order in which numbers are added shows in the last digits only.
        if not np.allclose(price(costs, 1e-3, some), loop_in_python(costs, 1e-3, some), rtol=1e-12, atol=0):
            sys.exit(f"{name} gives other sums than the loop in Python")

    print(f"machine: {read_device().describe()}")
    print(f"Python {platform.python_version()}, numpy {np.__version__}, {UNITS} units x {CANDIDATES} candidates")
    print(f"{'way':<16} {'architectures':>13} {'per second':>12} {'slower by':>9}")
    rates = []
    for name, price in METHODS:
        given = architectures if price is sum_of_picks else some
        rates.append(rate(price, costs, given, options.repeats))
        print(f"{name:<16} {len(given):>13,} {rates[-1]:>12,.0f} {rates[0] / rates[-1]:>8.1f}x")


if __name__ == "__main__":
    main()
