"""Small files of /proc and /sys: what they say, or None."""

import os
from typing import Iterable, List, Optional, Union

_PAGE_BYTES = 4096
"""What /sys holds at most in a file; making room for more takes longer than reading."""


def text(path: Union[str, "os.PathLike[str]"], most_bytes: int = _PAGE_BYTES) -> Optional[str]:
    """What a small file says, or the beginning of a long one, without white space around it.

    Args:
        path: the file.
        most_bytes: what is read of it.

    Returns:
        The text; None when the file cannot be read.
    """
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    # os.read instead of read_text: a state is read twice for each burst, and half of the time would go into layers.
    try:
        return os.read(handle, most_bytes).decode(errors="replace").strip().strip("\0")
    except OSError:
        return None
    finally:
        os.close(handle)


def number(path: Union[str, "os.PathLike[str]"]) -> Optional[float]:
    """The number in a small file; None when there is none."""
    found = text(path)
    try:
        return None if found is None else float(found)
    except ValueError:
        return None


def numbers(paths: Iterable[str]) -> List[float]:
    """The numbers in those of the files that have one."""
    found = (number(path) for path in paths)
    return [value for value in found if value is not None]
