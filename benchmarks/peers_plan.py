"""Time blocks as the scripts of hardware-aware searches do, to have something to compare with.

The plan: 10 warm-up calls, then the mean of 50 calls, block after block, all in one process, without a look at the
machine. It lies in the middle of what is done: the measuring code of once-for-all takes 50 and 50 calls (5 and 10 in
its fast mode), that of nnabla-nas 10 and 100, a published script for FBNet 0 and 50. With --seconds the 50 calls of a
block are repeated as long as its share of the time allows, and the mean of all is taken. Calls run as in every other
measurement of this project: only the plan differs. Run it from the root of the repository:

    python benchmarks/peers_plan.py --blocks 10
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from devices import PacelineError, read_timed_device, state_reader
from latency import Profiler, ProfilingError, Workload, find_profiler, open_profiler
from lut import measurable
from search import open_space

SPACE, INPUT_SIZE = "squeezenas-large", (256, 512)
"""The blocks that are timed, all or a sample of them: candidates, stem, head and decoder."""

WARM_UPS, CALLS = 10, 50


class Timed(NamedTuple):
    """One block: its time as the mean over ``calls`` calls, in seconds."""

    block: Workload
    time_s: float
    calls: int


def all_blocks() -> tuple[Workload, ...]:
    """The different blocks of the space that take any time."""
    return measurable(open_space(SPACE, INPUT_SIZE, precision="fp32").workloads())


def sample_of_blocks(count: int | None, seed: int) -> tuple[Workload, ...]:
    """That many blocks of the space, drawn by ``seed``, in the order of the space; all of them when None."""
    blocks = all_blocks()
    if count is None or count >= len(blocks):
        return blocks
    return tuple(blocks[index] for index in sorted(random.Random(seed).sample(range(len(blocks)), count)))


def time_in_sequence(
    profiler: Profiler, blocks: Sequence[Workload], calls: int = CALLS, until_s: float = 0.0
) -> Iterator[Timed]:
    """Time block after block by the plan.

    Args:
        profiler: makes the blocks ready to run.
        blocks: what to time, in this order.
        calls: calls in one go; a block gets them at least once.
        until_s: when all of them should be done, as ``time.monotonic`` counts. What is left until then is shared
            equally among the blocks that are left, and each repeats its calls as long as its share allows.

    Raises:
        ProfilingError: a block cannot be built or loaded.
    """
    for index, block in enumerate(blocks):
        now_s = time.monotonic()
        block_until_s = now_s + (until_s - now_s) / (len(blocks) - index)
        with profiler.open(block) as run:
            run(WARM_UPS)
            spent_s, taken = run(calls), calls
            while time.monotonic() < block_until_s:
                spent_s, taken = spent_s + run(calls), taken + calls
        yield Timed(block, spent_s / taken, taken)


def positive(text: str) -> int:
    """A whole number of at least 1.

    Raises:
        ArgumentTypeError: it is none.
    """
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1; got {text!r}")
    return int(text)


def block_count(text: str) -> int | None:
    """A whole number of at least 1, or None for ``all``.

    Raises:
        ArgumentTypeError: it is neither.
    """
    return None if text == "all" else positive(text)


def add_subject_options(parser: argparse.ArgumentParser, blocks: int) -> None:
    """Options that say what is timed, with ``blocks`` blocks unless told otherwise."""
    parser.add_argument(
        "--blocks",
        type=block_count,
        default=blocks,
        metavar="N",
        help=f"blocks of {SPACE} at {INPUT_SIZE[0]}x{INPUT_SIZE[1]}, a random sample, or `all` (default %(default)s)",
    )
    parser.add_argument("--sample", type=int, default=0, metavar="SEED", help="of that sample (default %(default)s)")
    parser.add_argument(
        "--runtime", default="onnxruntime-cpu", metavar="NAME", help="what runs the blocks (default %(default)s)"
    )
    parser.add_argument("--threads", type=positive, default=1, metavar="N", help="its threads (default %(default)s)")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    add_subject_options(parser, blocks=10)
    parser.add_argument(
        "--calls", type=positive, default=CALLS, metavar="N", help="calls that a mean is taken of (default %(default)s)"
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=0.0,
        metavar="S",
        help="repeat these calls until all blocks together have taken so long (default: do not repeat them)",
    )
    parser.add_argument("--order", type=int, metavar="SEED", help="shuffle the blocks (default: as in the network)")
    parser.add_argument("--json", action="store_true", help="print JSON: times by the digest of the block, in seconds")
    return parser.parse_args()


def main() -> None:
    """Time blocks by the plan and print the times."""
    options = _options()
    started_s = time.monotonic() - time.process_time()  # What was computed until here was loading: it counts.
    blocks = list(sample_of_blocks(options.blocks, options.sample))
    if options.order is not None:
        random.Random(options.order).shuffle(blocks)
    try:
        accelerator = find_profiler(options.runtime).accelerator
        device, state = read_timed_device(accelerator), state_reader(accelerator)
        profiler = open_profiler(options.runtime, device, state, options.threads)
        timed = list(time_in_sequence(profiler, blocks, options.calls, started_s + options.seconds))
    except (PacelineError, ProfilingError) as error:
        sys.exit(f"error: {error}")
    if options.json:
        times_s = {block.digest: time_s for block, time_s, _ in timed}
        print(json.dumps({"times_s": times_s, "calls": sum(calls for _, _, calls in timed)}))
        return
    print(f"machine: {profiler.environment.describe()}")
    for block, time_s, calls in timed:
        print(f"{time_s * 1e3:>10.4f} ms, mean of {calls:>7,} calls: {block.describe()}")


if __name__ == "__main__":
    main()
