"""A device, an environment, workloads and outcomes for tests that need any."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from devices import Device, DeviceState
from latency import (
    Burst,
    Environment,
    Failure,
    Measurement,
    NetworkGraph,
    Runtime,
    SamplingPlan,
    Value,
    Workload,
    network_workload,
)

DEVICE = Device("cpu", "Example 3000", "x86_64", cores=4, memory_bytes=8 * 2**30)
OTHER_DEVICE = replace(DEVICE, name="Example 4000")
RUNTIME = Runtime("example", {"examplert": "1.2"}, 1, {"mode": "fast"})
ENVIRONMENT = Environment(DEVICE, RUNTIME)

QUICK = SamplingPlan(
    warm_up_s=0.0,
    sample_s=1e-6,
    least_samples=6,
    least_s=0.0,
    most_samples=8,
    precision=0.5,
    limit_s=0.1,
    least_bursts=1,
    most_bursts=1,
)
"""A plan that is over at once."""


def idle() -> DeviceState:
    """A state reader that knows little."""
    return DeviceState(load_1min=0.5)


def block(channels: int = 8, *, source: int = 8, size: int = 8, batch: int = 1, **changes: int) -> Workload:
    """An inverted residual of kernel 3, stride 1, expansion 3, one group; ``changes`` replace these."""
    attributes = {"kernel": 3, "stride": 1, "expansion": 3, "groups": 1, "dilation": 1, **changes}
    return Workload("inverted_residual", ((source, size, size),), {"channels": channels, **attributes}, batch=batch)


def decoder(operator: str = "lr_aspp", *, middle: int = 4, source: int = 8, tap: int = 6) -> Workload:
    """A decoder from 4 x 8 and 16 x 32 to 5 classes of 64 x 128."""
    attributes = {"middle": middle, "classes": 5, "height": 64, "width": 128}
    return Workload(operator, ((source, 4, 8), (tap, 16, 32)), attributes)


def network(*, batch: int = 1, size: tuple[int, int] = (32, 64)) -> Workload:
    """Stem, two blocks, a skip that reduces, and a decoder that taps the first block."""
    stem = Workload("convolution", ((3, *size),), {"channels": 8, "kernel": 3, "stride": 2}, batch=batch)
    layers = (stem, block(8, stride=2), block(8, expansion=1, groups=2), reduction(10))
    end = {"middle": 4, "classes": 5, "height": size[0], "width": size[1]}
    return network_workload(layers, 1, Workload("lr_aspp", ((10, 1, 1), (8, 1, 1)), end))


def reduction(channels: int = 8, *, source: int = 8, size: tuple[int, int] = (8, 8)) -> Workload:
    """A skip at stride 2."""
    return Workload("factorized_reduce", ((source, *size),), {"channels": channels})


def skip() -> Workload:
    """A workload that is free."""
    return Workload("identity", ((8, 8, 8),))


BLOCKS = tuple(block(channels) for channels in (8, 12, 16, 20))
"""Different workloads that are measured in no time."""


def _spatial(operator: str, source: int, height: int, width: int, **attributes: Value) -> Workload:
    return Workload(operator, ((source, height, width),), attributes)


def _mobile_block(**changes: Value) -> Workload:
    """A block of MobileNetV2 with its input added; ``changes`` replace attributes."""
    plain = {"channels": 8, "kernel": 3, "stride": 1, "hidden": 24, "activation": "relu6", "skip": 1, "se": 0}
    return Workload("mbconv", ((8, 9, 8),), {**plain, **changes})


def graph() -> Workload:
    """A stem, two branches that are added up and put beside each other and zeros, and a classifier."""
    made = NetworkGraph((3, 8, 12))
    stem = made.add(_spatial("convolution", 3, 8, 12, channels=4, kernel=3, stride=1), 0)
    left = made.add(_spatial("projection", 4, 8, 12, channels=4), stem)
    right = made.add(_spatial("average_pool", 4, 8, 12, kernel=3, stride=1), stem)
    rows = made.join("concatenate", made.join("sum", left, right, stem), left, made.join("zeros", stem))
    made.add(_spatial("classifier", 12, 8, 12, classes=5, pool=1), rows)
    return made.workload()


OPERATOR_CASES: Mapping[str, Workload] = {
    "convolution": _spatial("convolution", 3, 16, 32, channels=8, kernel=3, stride=2),
    "convolution at an odd size": _spatial("convolution", 3, 15, 33, channels=8, kernel=5, stride=2),
    "pointwise convolution": _spatial("convolution", 8, 4, 4, channels=12, kernel=1, stride=1),
    "grouped convolution": _spatial("grouped_convolution", 8, 9, 12, channels=12, kernel=3, stride=2, groups=4),
    "depthwise convolution": _spatial("grouped_convolution", 8, 8, 8, channels=8, kernel=5, stride=1, groups=8),
    "residual convolution": Workload(
        "residual_convolution", ((8, 9, 12), (12, 5, 6)), {"channels": 12, "kernel": 3, "stride": 2, "groups": 1}
    ),
    "inverted residual": block(),
    "inverted residual with groups": block(12, groups=2, expansion=1),
    "inverted residual, dilated": block(dilation=2, kernel=5),
    "inverted residual at stride 2 and an odd size": block(12, size=9, stride=2),
    "inverted residual of two images": block(batch=2),
    "identity": skip(),
    "factorized reduce": reduction(12),
    "factorized reduce at an odd size": reduction(12, size=(9, 7)),
    "factorized reduce at one odd side": reduction(13, size=(8, 7)),
    "projection": _spatial("projection", 8, 8, 8, channels=12),
    "lr_aspp": decoder("lr_aspp"),
    "lr_aspp of more pixels than its pooling kernel": Workload(
        "lr_aspp", ((8, 51, 70), (6, 102, 140)), {"middle": 4, "classes": 5, "height": 204, "width": 280}
    ),
    "lr_aspp at odd sizes": Workload(
        "lr_aspp", ((8, 3, 5), (6, 9, 17)), {"middle": 4, "classes": 5, "height": 33, "width": 65}
    ),
    "aspp": decoder("aspp"),
    "mobile block": _mobile_block(),
    "mobile block without a first 1x1": _mobile_block(hidden=8, channels=12, skip=0, activation="h_swish"),
    "mobile block with squeeze-and-excitation": _mobile_block(se=1, activation="h_swish"),
    "mobile block at stride 2": _mobile_block(stride=2, kernel=5, skip=0),
    "activated convolution": _spatial(
        "activated_convolution", 3, 16, 17, channels=8, kernel=3, stride=2, norm=1, activation="relu6"
    ),
    "activated convolution without norm or activation": _spatial(
        "activated_convolution", 8, 1, 1, channels=12, kernel=1, stride=1, norm=0, activation="none"
    ),
    "global average pool": _spatial("global_average_pool", 8, 5, 4),
    "classifier": _spatial("classifier", 8, 5, 4, classes=10, pool=1),
    "classifier of one pixel": _spatial("classifier", 8, 1, 1, classes=10, pool=0),
    "shuffled residual": _spatial("shuffled_residual", 8, 8, 8, channels=8, kernel=3, stride=1, expansion=3, groups=2),
    "shuffled residual at stride 2": _spatial(
        "shuffled_residual", 8, 9, 9, channels=12, kernel=5, stride=2, expansion=1, groups=2
    ),
    "double depthwise residual": _spatial(
        "double_depthwise_residual", 8, 9, 8, channels=8, kernel=3, stride=2, expansion=6
    ),
    "relu convolution": _spatial("relu_convolution", 8, 8, 8, channels=12, kernel=3, stride=2, dilation=1),
    "relu convolution, dilated": _spatial("relu_convolution", 8, 8, 8, channels=8, kernel=3, stride=1, dilation=2),
    "separable convolution": _spatial("separable_convolution", 8, 8, 9, channels=12, kernel=5, stride=2),
    "average pool": _spatial("average_pool", 8, 8, 9, kernel=3, stride=2),
    "max pool": _spatial("max_pool", 8, 8, 9, kernel=5, stride=1),
    "residual reduction": _spatial("residual_reduction", 8, 8, 6, channels=12),
    "normalised activation": _spatial("normalised_activation", 8, 4, 4, norm=1, activation="relu"),
    "activation alone": _spatial("normalised_activation", 8, 4, 4, norm=0, activation="relu6"),
    "network": network(),
    "graph": graph(),
}
"""At least one workload of each operator."""


def burst(mean_s: float = 1e-3, **changes: Any) -> Burst:
    """Seven samples whose lower quartile is ``mean_s``, by a process of its own; ``changes`` replace fields."""
    plain = Burst(
        samples_s=tuple(mean_s * (1 + step / 1000) for step in (0, -1, 0, 3, 1, 2, 4)),
        calls_per_sample=2,
        stopped="precise",
        before=idle(),
        after=idle(),
        measured_at="2024-01-02T03:04:05+00:00",
    )
    return replace(plain, **changes)


def measurement(
    workload: Workload | None = None,
    mean_s: float = 1e-3,
    environment: Environment = ENVIRONMENT,
    *,
    times: Sequence[float] = (),
    stopped: str = "precise",
) -> Measurement:
    """A measurement of one burst around ``mean_s``; or of one burst, and one process, around each of ``times``."""
    bursts = tuple(burst(time_s, process=str(number)) for number, time_s in enumerate(times)) or (burst(mean_s),)
    return Measurement(workload or block(), environment, QUICK, bursts, stopped)


def failure(workload: Workload | None = None, environment: Environment = ENVIRONMENT) -> Failure:
    """A workload that the runtime refused to load."""
    return Failure(workload or block(), environment, "load", "not implemented", "2024-01-02T03:04:05+00:00")
