"""Opens labelled images by what they are called or by where they lie."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from devices import WrongUse, unknown_name
from search.data import camvid, cifar10, cityscapes, class_folders
from search.data.labelled import SPLITS, LabelledImages
from search.data.layouts import Layout
from search.data.objects import Objects
from search.data.scenes import Scenes

GENERATED: Mapping[str, Callable[..., LabelledImages]] = {"scenes": Scenes, "objects": Objects}
"""Images that need no files, by name. Each is called with (split, size, seed=..., count=...)."""

LAYOUTS: tuple[Layout, ...] = (cityscapes.LAYOUT, *camvid.LAYOUTS, cifar10.LAYOUT, class_folders.LAYOUT)
"""The data sets whose folders are recognised, tried in this order: the last has the marks of CamVid, and no others."""

ENTRIES_SHOWN = 6
"""How many names an error lists of a folder that is not recognised."""


def open_images(
    source: str, split: str, size: tuple[int, int], *, seed: int = 0, count: int | None = None
) -> LabelledImages:
    """The images of one split, from a folder or generated.

    Args:
        source: ``"scenes"`` for generated streets, whose pixels have classes; ``"objects"`` for generated things in a
            street, pictures with one class each; or a folder in one of the known layouts.
        split: ``train``, ``val`` or ``test``.
        size: height and width of the images, in pixels.
        seed: which pictures are generated; a folder is not affected.
        count: how many images; None is all of a folder, or the usual number of generated ones. From a folder they
            are taken at even distances, and all of them where there are fewer.

    Returns:
        Images that are read when they are asked for.

    Raises:
        WrongUse: the split is unknown, or the source is neither a name nor a folder in a known layout.
    """
    if split not in SPLITS:
        raise unknown_name("split", split, SPLITS)
    if source in GENERATED:
        return GENERATED[source](split, size, seed=seed, count=count)
    folder = Path(source).expanduser()
    return _layout_of(folder).open(folder, split, size, count)


def _layout_of(folder: Path) -> Layout:
    """The first layout that recognises ``folder``."""
    known = "; ".join(f"{layout.name} with {' and '.join(layout.marks)}" for layout in LAYOUTS)
    names = ", ".join(repr(name) for name in GENERATED)
    if not folder.is_dir():
        raise WrongUse(
            f"Images must be {names} or a folder in a known layout ({known}); {str(folder)!r} is neither. "
            "Check the path."
        )
    for layout in LAYOUTS:
        if layout.recognises(folder):
            return layout
    found = sorted(entry.name for entry in folder.iterdir())
    shown = ", ".join(found[:ENTRIES_SHOWN]) + (", ..." if len(found) > ENTRIES_SHOWN else "")
    raise WrongUse(
        f"A folder with images must have one of these layouts: {known}; {folder} holds {shown or 'nothing'}. "
        "Give the folder that contains these, or arrange the files like one of them."
    )
