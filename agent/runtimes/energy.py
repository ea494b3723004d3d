"""Energy of a call, where a board tells its power: of calls that are made for it, when the samples are taken.

While samples are taken nobody looks at the power: the chips that measure it are read over a slow bus, and the look
would be in the samples.
"""

import time
from typing import Dict

from agent.loop import TimedRun
from agent.watch import Watch

_SPAN_S = 0.1
"""Two looks at the power and more, and no longer than the samples take."""

_CALLS_S = 0.02
"""Calls are made in groups of about this time, between which the clock is read."""


def costs_with_energy(run: TimedRun, call_s: float, watch: Watch) -> Dict[str, float]:
    """What a run costs beside time, with the energy of a call in joules, idle power included, where it is known.

    Args:
        run: what is metered.
        call_s: about what one call takes, in seconds.
        watch: tells the power.
    """
    known: Dict[str, float] = run.costs()
    calls, group, took_s = 0, max(1, int(_CALLS_S / call_s)), 0.0
    with watch:
        run(group)  # What came before drew less, and the first look must not see it.
        since = until = time.monotonic()
        while until < since + _SPAN_S:
            # What a runtime does around its calls, such as emptying a cache, is not in the time it says they took.
            took_s += run(group)
            calls, until = calls + group, time.monotonic()
        power_w = watch.power_w(since, until)
    return dict(known, energy_j=power_w * took_s / calls) if power_w else known
