"""Search spaces by name, and the published networks that ship with them."""

import tomllib
from collections.abc import Callable, Mapping
from functools import partial
from importlib import resources

from devices import unknown_name
from search.spaces.chains import Stage, classifying, output_of, stage_units
from search.spaces.consistency import refuse_inconsistent
from search.spaces.fbnet import FBNETS, fbnet
from search.spaces.mobilenetv2 import MOBILENETV2, mobilenetv2, mobilenetv2_name, mobilenetv2_width
from search.spaces.nasbench201 import nasbench201
from search.spaces.nasnet import nasnet
from search.spaces.proxylessnas import PROXYLESS_STAGES, proxylessnas
from search.spaces.space import Architecture, Candidate, Space, Unit
from search.spaces.squeezenas import MACROS, squeezenas
from search.spaces.user_space import is_user_space, open_user_space
from search.spaces.wiring import ChainWiring, Frame, Parts, Signal, Wiring

SpaceFactory = Callable[[tuple[int, int], int, str], Space]
"""Builds a space for (height, width) of the input, a number of classes and a precision."""

SPACES: Mapping[str, SpaceFactory] = {
    **{name: partial(squeezenas, name, macro) for name, macro in MACROS.items()},
    **{name: partial(fbnet, name, macro) for name, macro in FBNETS.items()},
    **{name: partial(proxylessnas, name, stages) for name, stages in PROXYLESS_STAGES.items()},
    "nasbench201": partial(nasbench201, "nasbench201"),
    "nasnet": partial(nasnet, "nasnet"),
    MOBILENETV2: partial(mobilenetv2, MOBILENETV2, 1.0),
}
"""The spaces that ship, by name."""

PUBLISHED: Mapping[str, tuple[str, tuple[str, ...]]] = {
    name: (network["space"], tuple(network["units"].split()))
    for name, network in tomllib.loads((resources.files(__name__) / "published.toml").read_text()).items()
}
"""The published networks: name -> space, and the candidate of each unit."""

CITYSCAPES: tuple[tuple[int, int], int] = ((1024, 2048), 19)
"""Input size and number of classes of Cityscapes, which the SqueezeNAS spaces were published for."""

IMAGENET: tuple[tuple[int, int], int] = ((224, 224), 1000)
"""Input size and number of classes of ImageNet, as mobile networks read it."""

CIFAR10: tuple[tuple[int, int], int] = ((32, 32), 10)
"""Input size and number of classes of CIFAR-10."""

_DEFAULTS: Mapping[str, tuple[tuple[int, int], int]] = {
    **dict.fromkeys((*MACROS, MOBILENETV2), CITYSCAPES),
    "demo": ((96, 192), 11),
    **dict.fromkeys((*FBNETS, *PROXYLESS_STAGES), IMAGENET),
    **dict.fromkeys(("nasbench201", "nasnet"), CIFAR10),
}
"""Input size and classes that each space was made for; the demo's are the generated scenes'."""


def open_space(
    name: str, input_size: tuple[int, int] | None = None, classes: int | None = None, precision: str = "fp32"
) -> Space:
    """The space of that name.

    Args:
        name: one of ``SPACES``, ``mobilenetv2-0.5`` and the like for other widths, or a file of the user:
            ``my_space.py:space`` or ``my_space.toml``.
        input_size: height and width of the input; the space's own default when None.
        classes: number of classes; the space's own default when None.
        precision: number format that its workloads are measured in.

    Raises:
        WrongUse: there is no such space, or it cannot have that input.
    """
    if is_user_space(name):
        return open_user_space(name, input_size, classes, precision)
    width = mobilenetv2_width(name)
    if name not in SPACES and width is None:
        raise unknown_name("space", name, SPACES)
    default_size, default_classes = _DEFAULTS[name if width is None else MOBILENETV2]
    size = default_size if input_size is None else input_size
    make = SPACES[name] if width is None else partial(mobilenetv2, name, width)
    return make(size, default_classes if classes is None else classes, precision)


def open_published(
    name: str, input_size: tuple[int, int] | None = None, classes: int | None = None, precision: str = "fp32"
) -> tuple[Space, Architecture]:
    """A published network with its space; arguments as of ``open_space``.

    Raises:
        WrongUse: there is no such network.
    """
    if name not in PUBLISHED:
        raise unknown_name("network", name, PUBLISHED)
    space_name, names = PUBLISHED[name]
    space = open_space(space_name, input_size, classes, precision)
    return space, space.architecture(names)


__all__ = [
    "CIFAR10",
    "CITYSCAPES",
    "IMAGENET",
    "PUBLISHED",
    "SPACES",
    "Architecture",
    "Candidate",
    "ChainWiring",
    "Frame",
    "Parts",
    "Signal",
    "Space",
    "SpaceFactory",
    "Stage",
    "Unit",
    "Wiring",
    "classifying",
    "mobilenetv2_name",
    "open_published",
    "open_space",
    "output_of",
    "refuse_inconsistent",
    "squeezenas",
    "stage_units",
]
