"""Room on the disk: where it gets scarce, nothing large is begun any more, so that answers can still be stored."""

import shutil

from flowchat.errors import FlowChatError
from flowchat.services.context import Context
from flowchat.settings import Settings

MEGABYTE = 1_000_000
RETRY_AFTER_S = 300


def free_mb(settings: Settings) -> float:
    """On the disk of the data folder."""
    return shutil.disk_usage(settings.data_dir).free / MEGABYTE


def is_low(settings: Settings) -> bool:
    """Whether no more crawls, uploads and the like begin."""
    return free_mb(settings) < settings.min_free_mb


def is_nearly_full(settings: Settings) -> bool:
    """Whether those that are under way end, too: half of what `is_low` leaves is gone."""
    return free_mb(settings) < settings.min_free_mb / 2


def low(settings: Settings) -> FlowChatError:
    message = (
        f"The disk is nearly full: {free_mb(settings):,.0f} MB are free, and FlowChat begins nothing large below "
        f"{settings.min_free_mb:,} MB (FLOWCHAT_MIN_FREE_MB). What is live goes on answering. Make room on the disk."
    )
    return FlowChatError("disk_low", message, status=507, retry_after_s=RETRY_AFTER_S)


def require_room(app: Context) -> None:
    """Raises FlowChatError `disk_low` (507)."""
    if is_low(app.settings):
        raise low(app.settings)
