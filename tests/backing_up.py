"""Backups that tests make and restore."""

import asyncio
from pathlib import Path

from appliance import settings_for

from flowchat.services import backup_making, restoring
from flowchat.services.restoring import Restored


def quietly(step: str, done: int, total: int) -> None:
    """Progress that nobody looks at."""


def back_up(data_dir: Path, *, is_kept: bool = True) -> Path:
    return backup_making.make(settings_for(data_dir), quietly, is_kept=is_kept)


async def restore(data_dir: Path, path: Path, *, without_key: bool = False) -> Restored:
    """Into a folder that nobody holds, and that is made if missing."""
    data_dir.mkdir(exist_ok=True)
    return await restoring.restore(settings_for(data_dir), path, lambda text: None, without_key=without_key)


def restore_now(data_dir: Path, path: Path, *, without_key: bool = False) -> Restored:
    return asyncio.run(restore(data_dir, path, without_key=without_key))
