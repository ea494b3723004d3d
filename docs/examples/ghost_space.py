"""An operator and a space of one's own: ghost modules (Han et al., GhostNet, CVPR 2020) beside inverted residuals."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from latency import OPERATORS, Layer, Operator, Shape, Workload, convolution_layer, integer_attribute
from search.spaces import Candidate, Space, Stage, classifying, output_of, stage_units


class GhostModule(nn.Module):
    """Half of the channels by a 1x1 convolution, the other half from these by a depthwise one."""

    def __init__(self, source: int, half: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.dear = nn.Sequential(nn.Conv2d(source, half, 1, stride, bias=False), nn.BatchNorm2d(half), nn.ReLU())
        cheap = nn.Conv2d(half, half, kernel, padding=kernel // 2, groups=half, bias=False)
        self.cheap = nn.Sequential(cheap, nn.BatchNorm2d(half), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        half = self.dear(x)
        return torch.cat([half, self.cheap(half)], dim=1)


class Ghost(Operator):
    name = "ghost"
    attributes = {"channels": int, "kernel": int, "stride": int}

    def layers(self, workload: Workload) -> Sequence[Layer]:
        channels, kernel, stride = (integer_attribute(workload, name) for name in self.attributes)
        dear = convolution_layer(workload.inputs[0], channels // 2, 1, stride)
        cheap = convolution_layer(dear.output, channels // 2, kernel, groups=channels // 2)
        return dear, cheap, Layer(output=(channels, *dear.output[1:]))

    def build(self, workload: Workload) -> nn.Module:
        channels, kernel, stride = (integer_attribute(workload, name) for name in self.attributes)
        return GhostModule(workload.inputs[0][0], channels // 2, kernel, stride)


OPERATORS.add(Ghost())


def space(input_size: tuple[int, int] = (32, 32), classes: int = 10, precision: str = "fp32") -> Space:
    def candidates(source: Shape, channels: int, stride: int) -> tuple[Candidate, ...]:
        plain = {"channels": channels, "stride": stride}
        block = {**plain, "kernel": 3, "expansion": 3, "groups": 1, "dilation": 1}
        made = [("k3e3", "inverted_residual", block), *((f"ghost{k}", "ghost", {**plain, "kernel": k}) for k in (3, 5))]
        return tuple(Candidate(n, (Workload(operator, (source,), a, precision),)) for n, operator, a in made)

    stem = Workload("convolution", ((3, *input_size),), {"channels": 16, "kernel": 3, "stride": 1}, precision)
    units = stage_units([Stage(16, 1, 1), Stage(32, 3, 2), Stage(64, 3, 2)], output_of(stem), candidates)
    last = output_of(units[-1].candidates[0].workload)
    head = Workload("classifier", (last,), {"classes": classes, "pool": 1}, precision)
    return classifying("ghosts", input_size, (stem,), units, (), head, reference="k3e3")
