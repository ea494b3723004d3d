"""Are the generated street scenes hard enough that larger networks score higher?

A small, a medium and a large network of the kind that SqueezeNAS searches (inverted residuals down to 1/16, a head
with two scales) are trained for the same number of steps on the same batches. If the scenes were too easy, all would
reach the same mean IoU, and a search on them could not tell good networks from bad ones. Run it from the root of the
repository:

    python benchmarks/scenes_difficulty.py --steps 300 --seeds 3
"""

from __future__ import annotations

import argparse
import platform
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from search import IGNORE, Batches, LabelledImages, confusion_matrix, mean_iou, open_images

UNITS = ((16, 1, 1), (24, 2, 2), (40, 3, 2), (80, 3, 2), (96, 2, 1))
"""Channels, layers and stride of each group of inverted residuals, at width 1; with the stem the stride is 16."""

SKIP_AFTER = 1
"""The group whose output, at 1/4, the head joins with the last one, at 1/16."""


@dataclass(frozen=True)
class Scale:
    """How large a network is.

    Attributes:
        name: what it is called in the table.
        width: factor for all channels.
        expansion: factor from the outer to the inner channels of an inverted residual.
    """

    name: str
    width: float
    expansion: int


SCALES = (Scale("small", 0.5, 1), Scale("medium", 1.0, 3), Scale("large", 2.0, 6))


class InvertedResidual(nn.Module):
    """Pointwise, depthwise, pointwise; with a shortcut where the shape stays."""

    def __init__(self, channels_in: int, channels_out: int, stride: int, expansion: int) -> None:
        """Random weights.

        Args:
            channels_in: channels of the input.
            channels_out: channels of the output.
            stride: of the depthwise convolution.
            expansion: inner channels for each channel of the input.
        """
        super().__init__()
        inner = channels_in * expansion
        self.shortcut = stride == 1 and channels_in == channels_out
        self.body = nn.Sequential(
            *_convolution(channels_in, inner, 1),
            *_convolution(inner, inner, 3, stride=stride, groups=inner),
            nn.Conv2d(inner, channels_out, 1, bias=False),
            nn.BatchNorm2d(channels_out),
        )

    def forward(self, features: Tensor) -> Tensor:
        """(batch, channels_in, height, width) to (batch, channels_out, height / stride, width / stride)."""
        out: Tensor = self.body(features)
        return features + out if self.shortcut else out


class Network(nn.Module):
    """An encoder with stride 16 and a head like LR-ASPP (Howard et al., Searching for MobileNetV3, figure 10)."""

    def __init__(self, scale: Scale, classes: int) -> None:
        """Random weights.

        Args:
            scale: how large it is.
            classes: how many classes it tells apart.
        """
        super().__init__()
        channels = _rounded(16 * scale.width)
        self.stem = nn.Sequential(*_convolution(3, channels, 3, stride=2))
        self.groups = nn.ModuleList()
        widths = []
        for base, layers, stride in UNITS:
            group = nn.Sequential()
            for layer in range(layers):
                out = _rounded(base * scale.width)
                group.append(InvertedResidual(channels, out, stride if layer == 0 else 1, scale.expansion))
                channels = out
            self.groups.append(group)
            widths.append(channels)
        inner = _rounded(64 * scale.width)
        self.context = nn.Sequential(*_convolution(channels, inner, 1))
        self.gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, inner, 1), nn.Sigmoid())
        self.deep = nn.Conv2d(inner, classes, 1)
        self.shallow = nn.Conv2d(widths[SKIP_AFTER], classes, 1)

    def forward(self, pictures: Tensor) -> Tensor:
        """(batch, 3, height, width) to scores of shape (batch, classes, height, width)."""
        features = self.stem(pictures)
        skip = features
        for position, group in enumerate(self.groups):
            features = group(features)
            if position == SKIP_AFTER:
                skip = features
        deep = self.deep(self.context(features) * self.gate(features))
        joined = functional.interpolate(deep, skip.shape[-2:], mode="bilinear") + self.shallow(skip)
        return functional.interpolate(joined, pictures.shape[-2:], mode="bilinear")


@dataclass(frozen=True)
class Result:
    """One trained network.

    Attributes:
        miou: mean IoU on the val split, 0 to 1.
        parameters: how many weights it has.
        train_s: processor seconds of training, all threads together; other programs do not count.
    """

    miou: float
    parameters: int
    train_s: float


def train_and_score(scale: Scale, batches: Batches, val: LabelledImages, steps: int, seed: int, rate: float) -> Result:
    """Trains one network from random weights and scores it.

    Args:
        scale: how large it is.
        batches: what to train on; every network gets the same.
        val: what to score on.
        steps: optimiser steps.
        seed: of the weights.
        rate: peak learning rate of AdamW.
    """
    torch.manual_seed(seed)
    # Depthwise convolutions on a processor are up to twice as fast with the channels last.
    network = Network(scale, len(val.classes)).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps)
    start = time.process_time()
    for pictures, labels in batches.take(steps):
        scores = network(pictures.to(memory_format=torch.channels_last))
        loss = functional.cross_entropy(scores, labels, ignore_index=IGNORE)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    train_s = time.process_time() - start
    parameters = sum(weights.numel() for weights in network.parameters())
    return Result(score(network, val), parameters, train_s)


@torch.no_grad()
def score(network: Network, val: LabelledImages) -> float:
    """Mean IoU over all pixels of ``val``, 0 to 1."""
    network.eval()
    classes = len(val.classes)
    counts = np.zeros((classes, classes), dtype=np.int64)
    for pictures, labels in Batches(val, 8, seed=0, augment=False).all_batches():
        predicted = network(pictures).argmax(dim=1)
        counts += confusion_matrix(labels.numpy(), predicted.numpy(), classes)
    return mean_iou(counts)


def main() -> None:
    """Trains every network with every seed and prints a table."""
    options = _options()
    torch.set_num_threads(options.threads)
    size = (options.size[0], options.size[1])
    print(f"machine: {_processor()}; {options.threads} threads; torch {torch.__version__}")
    val = open_images(options.source, "val", size, count=options.val)
    print(f"images: {val.name}, {size[0]} x {size[1]}; {_milliseconds_per_image(val):.1f} ms to read one")
    print(f"training: {options.steps} steps of {options.batch}, peak rate {options.rate}; {options.seeds} seeds\n")
    results: dict[str, list[Result]] = {scale.name: [] for scale in SCALES}
    for seed in range(options.seeds):
        train = open_images(options.source, "train", size, seed=seed)
        batches = Batches(train, options.batch, seed=seed, augment=True)
        for scale in SCALES:
            result = train_and_score(scale, batches, val, options.steps, seed, options.rate)
            print(
                f"seed {seed} {scale.name:7} mIoU {result.miou:.3f} in {result.train_s:.0f} processor seconds",
                flush=True,
            )
            results[scale.name].append(result)
    _print_table(results)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Trains three sizes of network on generated street scenes and shows whether larger ones score "
        "higher. With the defaults it takes about twelve minutes of one core.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--steps", type=int, default=300, help="optimiser steps for each network")
    parser.add_argument("--seeds", type=int, default=3, help="how often to repeat with other weights and images")
    parser.add_argument("--size", type=int, nargs=2, default=(96, 192), metavar=("HEIGHT", "WIDTH"), help="in pixels")
    parser.add_argument("--threads", type=int, default=1, help="threads that torch may use")
    parser.add_argument("--batch", type=int, default=8, help="images in each step")
    parser.add_argument("--rate", type=float, default=0.006, help="peak learning rate")
    parser.add_argument("--val", type=int, default=100, help="images to score on")
    parser.add_argument("--source", default="scenes", help="other images to try instead: a folder")
    return parser.parse_args()


def _print_table(results: dict[str, list[Result]]) -> None:
    print(f"\n{'network':8} {'parameters':>10} {'processor':>10} {'mIoU':>15} {'of large':>8}")
    largest = statistics.mean(result.miou for result in results[SCALES[-1].name])
    for name, runs in results.items():
        scores = [run.miou for run in runs]
        mean, spread = statistics.mean(scores), statistics.stdev(scores) if len(scores) > 1 else 0.0
        train_s = statistics.mean(run.train_s for run in runs)
        row = f"{name:8} {runs[0].parameters:10,} {train_s:8.0f} s {mean:7.3f} ± {spread:.3f} {mean / largest:8.2f}"
        print(row)
    print("\n± is the standard deviation over the seeds; processor: seconds of training, all threads together.")


def _milliseconds_per_image(images: LabelledImages) -> float:
    images.read(0)
    times_s = []
    for index in range(min(50, len(images))):
        start = time.perf_counter()
        images.read(index)
        times_s.append(time.perf_counter() - start)
    return 1e3 * statistics.median(times_s)


def _processor() -> str:
    """The model of the processor in words, as far as the system tells."""
    listing = Path("/proc/cpuinfo")
    lines = listing.read_text().splitlines() if listing.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0]}, {len(names)} cores" if names else platform.processor() or "unknown processor"


def _convolution(
    channels_in: int, channels_out: int, kernel: int, stride: int = 1, groups: int = 1
) -> tuple[nn.Conv2d, nn.BatchNorm2d, nn.ReLU]:
    padding = kernel // 2
    return (
        nn.Conv2d(channels_in, channels_out, kernel, stride, padding, groups=groups, bias=False),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(inplace=True),
    )


def _rounded(channels: float) -> int:
    """To the nearest multiple of 8, at least 8."""
    return max(8, 8 * round(channels / 8))


if __name__ == "__main__":
    main()
