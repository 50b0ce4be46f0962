"""Files that are still there after a power failure."""

import os
from pathlib import Path


def sync(path: Path) -> None:
    """A file's content, or a folder's list of names: a new or renamed file is only sure to be found after the latter.

    Returns once it is on the disk.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(path: Path) -> None:
    """With those above it, where they are missing."""
    if path.is_dir():
        return
    make_folder(path.parent)
    path.mkdir(exist_ok=True)
    sync(path.parent)
