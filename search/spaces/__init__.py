"""Search spaces by name, and the published networks that ship with them."""

import tomllib
from collections.abc import Callable, Mapping
from importlib import resources

from devices import unknown_name
from search.spaces.space import Architecture, Candidate, Space, Unit
from search.spaces.squeezenas import MACROS, squeezenas

SpaceFactory = Callable[[tuple[int, int], int, str], Space]
"""Builds a space for (height, width) of the input, a number of classes and a precision."""


def _factory(name: str) -> SpaceFactory:
    return lambda input_size, classes, precision: squeezenas(name, MACROS[name], input_size, classes, precision)


SPACES: Mapping[str, SpaceFactory] = {name: _factory(name) for name in MACROS}
"""The spaces that ship, by name."""

PUBLISHED: Mapping[str, tuple[str, tuple[str, ...]]] = {
    name: (network["space"], tuple(network["units"].split()))
    for name, network in tomllib.loads((resources.files(__name__) / "published.toml").read_text()).items()
}
"""The published networks: name -> space, and the candidate of each unit."""

CITYSCAPES: tuple[tuple[int, int], int] = ((1024, 2048), 19)
"""Input size and number of classes of Cityscapes, which the spaces were published for."""

_DEFAULTS: Mapping[str, tuple[tuple[int, int], int]] = {"demo": ((96, 192), 11)}
"""Input size and classes of spaces that are meant for something else; the demo's are the generated scenes'."""


def open_space(
    name: str, input_size: tuple[int, int] | None = None, classes: int | None = None, precision: str = "fp32"
) -> Space:
    """The space of that name.

    Args:
        name: one of ``SPACES``.
        input_size: height and width of the input; the space's own default when None.
        classes: number of classes; the space's own default when None.
        precision: number format that its workloads are measured in.

    Raises:
        WrongUse: there is no such space, or it cannot have that input.
    """
    if name not in SPACES:
        raise unknown_name("space", name, SPACES)
    default_size, default_classes = _DEFAULTS.get(name, CITYSCAPES)
    size = default_size if input_size is None else input_size
    return SPACES[name](size, default_classes if classes is None else classes, precision)


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
    "CITYSCAPES",
    "PUBLISHED",
    "SPACES",
    "Architecture",
    "Candidate",
    "Space",
    "SpaceFactory",
    "Unit",
    "open_published",
    "open_space",
    "squeezenas",
]
