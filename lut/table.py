"""The table: what is known of each workload in each environment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import final

from devices import WrongUse
from latency import (
    Burst,
    Calibration,
    Environment,
    Estimate,
    Failure,
    Measurement,
    Outcome,
    Workload,
    joined,
    lower_quartile,
)
from lut.rows import Key, Learned, Unmeasured, key_of, read_lines

IMPORTED = "import"
"""Stage of a failure that somebody else's file tells of by a mark: nobody tried the workload here."""


@final
class Table(Mapping[Key, Outcome]):
    """Outcomes by key. Read one from a file with ``Table.read``; add to the file with ``appending``."""

    def __init__(self, outcomes: Iterable[Outcome] = ()) -> None:
        self._outcomes: dict[Key, Outcome] = {}
        self._levels_s: dict[tuple[str, str], float | None] = {}
        self._calibrations: dict[str, list[Calibration]] = {}
        self._environments: dict[str, Environment] = {}
        self._unmeasured: dict[Key, Unmeasured] = {}
        for outcome in outcomes:
            self.add(outcome)

    @staticmethod
    def read(path: Path) -> Table:
        """Read a table; a torn last line is left out.

        Raises:
            WrongUse: the file is missing, or a line other than a torn last one is no row.
        """
        good, bad = read_lines(path)
        if bad:
            first = bad[0]
            raise WrongUse(
                f"{path}, line {first.number} is no row of a table ({first.reason}); {len(bad)} such line(s) in all. "
                f"`paceline table repair {path}` moves them to {path}.rejected and keeps the {len(good)} good rows."
            )
        table = Table()
        for row in good:
            if isinstance(row.content, Learned):
                table.add_calibration(*row.content)
            elif isinstance(row.content, Unmeasured):
                table.add_estimate(*row.content)
            else:
                table.add(row.content, adds=row.adds)
        return table

    def __getitem__(self, key: Key) -> Outcome:
        """The outcome, brought to the quiet machine that all bursts of the table together tell of."""
        outcome = self._outcomes[key]
        if isinstance(outcome, Failure):
            return outcome
        return replace(outcome, level_s=self.level_s(key.environment, outcome.workload.precision))

    def __iter__(self) -> Iterator[Key]:
        return iter(self._outcomes)

    def __len__(self) -> int:
        return len(self._outcomes)

    def environments(self) -> tuple[Environment, ...]:
        """The different environments that rows come from."""
        return tuple(self._environments.values())

    def environment(self) -> Environment:
        """The one environment that all rows come from.

        Raises:
            WrongUse: there are no rows, or rows of several environments.
        """
        found = self.environments()
        if len(found) != 1:
            names = "".join(f"\n  {environment.describe()}" for environment in found)
            raise WrongUse(
                f"A table must come from one device and runtime to be used; this one has {len(found)}:{names}\n"
                "Fill one table for each with `profile-device --out`."
            )
        return found[0]

    def outcome(self, workload: Workload, environment: Environment) -> Outcome | None:
        """What is known of ``workload`` in ``environment``; None when it was never tried there."""
        return self.get(Key(workload.digest, environment.digest))

    def add(self, outcome: Outcome, *, adds: bool = False) -> Key:
        """Take an outcome into memory. Files are left alone.

        Args:
            outcome: what became of a workload.
            adds: its bursts come on top of those known of its key; otherwise it takes the place of what is known.
        """
        key = key_of(outcome)
        known = self._outcomes.get(key)
        if (not adds and _is_replaced(known, outcome)) or key in self._unmeasured:
            self._forget_calibrations(key)
        if adds and isinstance(known, Measurement) and isinstance(outcome, Measurement):
            outcome = joined(known, outcome)
        self._outcomes[key] = outcome
        self._unmeasured.pop(key, None)
        self._environments.setdefault(key.environment, outcome.environment)
        self._levels_s.clear()
        return key

    def add_estimate(self, workload: Workload, environment: Environment, estimate: Estimate) -> None:
        """Take a time into memory that was not measured here, if ``takes`` has nothing against it."""
        unmeasured = Unmeasured(workload, environment, estimate)
        self._environments.setdefault(environment.digest, environment)
        if self.takes(unmeasured):
            self._outcomes.pop(unmeasured.key, None)
            if self._unmeasured.get(unmeasured.key, unmeasured) != unmeasured:
                self._forget_calibrations(unmeasured.key)
            self._unmeasured[unmeasured.key] = unmeasured

    def takes(self, row: Unmeasured) -> bool:
        """Whether a time that was not measured here has a place: what was tried here goes before it.

        The failure of an import does not: nobody tried it here, and a reported time tells more.
        """
        known = self._outcomes.get(row.key)
        is_hearsay = isinstance(known, Failure) and known.stage == IMPORTED
        return known is None or (is_hearsay and row.estimate.source == "reported")

    def estimate(self, workload: Workload, environment: Environment) -> Estimate | None:
        """The best that is known of a latency: measured, else reported or predicted.

        Returns:
            None where nothing is known, and where the workload failed.
        """
        outcome = self.outcome(workload, environment)
        if outcome is not None:
            return None if isinstance(outcome, Failure) else outcome.estimate()
        found = self._unmeasured.get(Key(workload.digest, environment.digest))
        return None if found is None else found.estimate

    def is_known(self, workload: Workload, environment: Environment) -> bool:
        """Whether anything is known: measured, failed, reported or predicted."""
        key = Key(workload.digest, environment.digest)
        return key in self._outcomes or key in self._unmeasured

    def unmeasured(self) -> tuple[Unmeasured, ...]:
        """The times that were reported or predicted, of workloads that were not tried here."""
        return tuple(self._unmeasured.values())

    def precisions(self) -> tuple[str, ...]:
        """The number formats of the workloads that anything is known of."""
        known = [*(outcome.workload for outcome in self._outcomes.values()), *(r.workload for r in self.unmeasured())]
        return tuple(sorted({workload.precision for workload in known}))

    def _forget_calibrations(self, key: Key) -> None:
        """What was learned from a block's old time does not hold for its new one."""
        learned = self._calibrations.get(key.environment, [])
        self._calibrations[key.environment] = [known for known in learned if key.workload not in known.columns]

    def add_calibration(self, environment: Environment, calibration: Calibration) -> None:
        """Take a calibration into memory. Files are left alone."""
        self._calibrations.setdefault(environment.digest, []).append(calibration)

    def calibration(self, environment: Environment, workloads: Iterable[Workload]) -> Calibration | None:
        """The newest calibration in ``environment`` that has all these workloads among its entries; None without."""
        wanted = {workload.digest for workload in workloads}
        found = reversed(self._calibrations.get(environment.digest, []))
        return next((calibration for calibration in found if wanted <= calibration.columns.keys()), None)

    def level_s(self, environment: str, precision: str) -> float | None:
        """What the sentinel of that precision takes in that environment when nothing disturbs the machine.

        The lower quartile over undisturbed bursts; the fastest where there is none; None where no sentinel ran.
        """
        asked = (environment, precision)
        if asked not in self._levels_s:
            self._levels_s[asked] = _level_s(
                burst
                for key, outcome in self._outcomes.items()
                if isinstance(outcome, Measurement) and (key.environment, outcome.workload.precision) == asked
                for burst in outcome.bursts
            )
        return self._levels_s[asked]


def _is_replaced(known: Outcome | None, outcome: Outcome) -> bool:
    """Whether the bursts of a measurement make place for others, or for a failure."""
    if not isinstance(known, Measurement):
        return False
    return not (isinstance(outcome, Measurement) and outcome.bursts == known.bursts)


def _level_s(bursts: Iterable[Burst]) -> float | None:
    looks_s = [(burst.sentinel_s, burst.disturbed) for burst in bursts if burst.sentinel_s is not None]
    quiet_s = [look_s for look_s, disturbed in looks_s if not disturbed]
    return lower_quartile(quiet_s) if quiet_s else min((look_s for look_s, _ in looks_s), default=None)
