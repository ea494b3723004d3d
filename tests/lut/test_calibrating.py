"""From rows of a table to a calibration: what counts as a block, and what as a network made of known blocks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice, product

import pytest

from devices import WrongUse
from latency import Environment, Measurement, Outcome, Workload, network_workload, operator_of, parts
from lut import Table, blocks_of, calibrated, networks_of
from tests.contracts.examples import DEVICE, ENVIRONMENT, RUNTIME, block, burst, failure, measurement, skip

OTHER = Environment(DEVICE, replace(RUNTIME, threads=2))

STEM = Workload("convolution", ((3, 16, 16),), {"channels": 8, "kernel": 3, "stride": 2})
CANDIDATES = (block(), block(expansion=6), block(kernel=5), skip())
DECODER = Workload("lr_aspp", ((8, 8, 8), (8, 8, 8)), {"middle": 4, "classes": 5, "height": 16, "width": 16})

TIMES_S = {STEM: 1e-3, CANDIDATES[0]: 2e-3, CANDIDATES[1]: 3e-3, CANDIDATES[2]: 4e-3, DECODER: 5e-3}
"""What each block takes by itself."""

INSIDE = 1.2
"""So many times as long it takes inside a network."""


def network_of(*layers: Workload) -> Workload:
    """Stem, these layers and the decoder."""
    return network_workload((STEM, *layers), 1, DECODER)


NETWORKS = tuple(network_of(*layers) for layers in islice(product(CANDIDATES, repeat=3), 0, None, 5))


def whole_s(network: Workload) -> float:
    return INSIDE * sum(TIMES_S[part] for part in parts(network) if not operator_of(part).is_free)


def blocks(*, without: Sequence[Workload] = (), environment: Environment = ENVIRONMENT) -> list[Outcome]:
    known = [workload for workload in TIMES_S if workload not in without]
    return [measurement(workload, TIMES_S[workload], environment) for workload in known]


def wholes(networks: Sequence[Workload], environment: Environment = ENVIRONMENT) -> list[Outcome]:
    return [measurement(network, whole_s(network), environment) for network in networks]


def counted(table: Table) -> list[Counter[Workload]]:
    """How often each block occurs in each network that was found."""
    return [Counter(network.parts) for network in networks_of(table, ENVIRONMENT)]


def test_blocks_have_the_estimates_of_their_measurements() -> None:
    found = blocks_of(Table(blocks()), ENVIRONMENT)
    assert found == {workload: measurement(workload, time_s).estimate() for workload, time_s in TIMES_S.items()}


def test_networks_failures_and_other_environments_are_no_blocks() -> None:
    rows = [*blocks(without=[DECODER]), *wholes(NETWORKS), failure(DECODER), measurement(block(99), environment=OTHER)]
    assert set(blocks_of(Table(rows), ENVIRONMENT)) == set(TIMES_S) - {DECODER}
    assert set(blocks_of(Table(rows), OTHER)) == {block(99)}


def test_a_table_of_nothing_has_neither_blocks_nor_networks() -> None:
    assert blocks_of(Table(), ENVIRONMENT) == {}
    assert networks_of(Table(), ENVIRONMENT) == []


def test_a_network_has_each_block_as_often_as_it_occurs_and_no_free_ones() -> None:
    repeated = network_of(CANDIDATES[0], skip(), CANDIDATES[0])
    table = Table([*blocks(), *wholes([repeated])])
    assert counted(table) == [{STEM: 1, CANDIDATES[0]: 2, DECODER: 1}]
    assert networks_of(table, ENVIRONMENT)[0].mean_s == pytest.approx(INSIDE * 10e-3)


@pytest.mark.parametrize("missing", [STEM, CANDIDATES[1], DECODER], ids=["stem", "layer", "decoder"])
def test_a_network_with_a_part_that_nobody_measured_is_left_out(missing: Workload) -> None:
    networks = [network_of(CANDIDATES[1]), network_of(CANDIDATES[2])]
    left = [Counter(parts(network)) for network in networks if missing not in parts(network)]
    assert counted(Table([*blocks(without=[missing]), *wholes(networks)])) == left
    assert counted(Table([*blocks(without=[missing]), failure(missing), *wholes(networks)])) == left


def test_blocks_and_networks_of_different_environments_are_not_put_together() -> None:
    assert counted(Table([*blocks(), *wholes(NETWORKS, OTHER)])) == []
    assert counted(Table([*blocks(environment=OTHER), *wholes(NETWORKS)])) == []


def test_a_network_is_made_of_blocks_of_its_own_precision_and_batch() -> None:
    half = replace(STEM, precision="fp16")
    pair = replace(STEM, batch=2)
    for first in (half, pair):
        foreign = network_workload((first, CANDIDATES[0]), 1, DECODER)
        assert counted(Table([*blocks(), measurement(foreign, 0.01)])) == []


def test_a_network_that_failed_says_nothing() -> None:
    assert counted(Table([*blocks(), failure(NETWORKS[0]), *wholes(NETWORKS[1:3])])) == [
        Counter(part for part in parts(network) if not operator_of(part).is_free) for network in NETWORKS[1:3]
    ]


def test_times_of_networks_are_brought_to_the_level_of_the_table() -> None:
    slow = replace(measurement(NETWORKS[0]), bursts=(burst(1.3, sentinel_s=1.3e-4),))
    quiet = replace(measurement(STEM), bursts=(burst(1.0, sentinel_s=1e-4),) * 9)
    table = Table([*blocks(without=[STEM]), quiet, slow])
    (network,) = networks_of(table, ENVIRONMENT)
    row = table.outcome(NETWORKS[0], ENVIRONMENT)
    assert isinstance(row, Measurement)
    assert network.mean_s == row.time_s == pytest.approx(1.0)
    assert network.deviation_s == row.estimate().standard_deviation_s


def test_what_networks_take_more_is_learned_and_holds_for_one_that_was_not_measured() -> None:
    table = Table([*blocks(), *wholes(NETWORKS[1:])])
    calibration = calibrated(table, ENVIRONMENT)
    assert set(calibration.entries) == {workload.digest for workload in TIMES_S}
    assert calibration.networks == len(NETWORKS) - 1 >= 8
    assert calibration.estimate(parts(NETWORKS[0])).mean_s == pytest.approx(whole_s(NETWORKS[0]), rel=0.02)


def test_rows_may_come_in_any_order() -> None:
    rows = [*blocks(), *wholes(NETWORKS)]
    there, back = calibrated(Table(rows), ENVIRONMENT), calibrated(Table(rows[::-1]), ENVIRONMENT)
    for network in NETWORKS:
        expected = there.estimate(parts(network))
        assert back.estimate(parts(network)).mean_s == pytest.approx(expected.mean_s, rel=1e-3)


def test_too_few_networks_of_known_blocks_are_refused() -> None:
    rows = [*blocks(), *wholes(NETWORKS[:7]), *wholes(NETWORKS[7:], OTHER)]
    with pytest.raises(WrongUse, match="at least 8 networks measured whole, and 30 are better; got 7"):
        calibrated(Table(rows), ENVIRONMENT)


def test_calibrating_leaves_the_rows_alone() -> None:
    table = Table([*blocks(), *wholes(NETWORKS)])
    before = dict(table)
    calibrated(table, ENVIRONMENT)
    assert dict(table) == before
    assert table.calibration(ENVIRONMENT, TIMES_S) is None, "that is for its caller to add"
