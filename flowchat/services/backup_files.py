"""The folder of backups: names, what is there, and which of them have had their time."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from flowchat.domain import now
from flowchat.errors import FlowChatError
from flowchat.services import backup_archive
from flowchat.services.backup_archive import Manifest
from flowchat.settings import Settings

SUFFIX = ".zip"
KEPT = "-kept"  # made by somebody: only somebody deletes it
UPLOADED = ".uploaded"  # lies beside a backup that is at S3, too
NAMED_AHEAD_S = 60  # several of one second get the names of those after it
_NAME = re.compile(r"flowchat-(\d{8}-\d{6})(-kept)?")
_TIME = "%Y%m%d-%H%M%S"


@dataclass(frozen=True, slots=True)
class StoredBackup:
    """A backup on the disk. `manifest` is None where it is damaged; `error` says how."""

    name: str
    made_at: datetime
    bytes: int
    manifest: Manifest | None
    error: str | None
    is_uploaded: bool

    @property
    def is_kept(self) -> bool:
        return self.name.endswith(KEPT)


def folder(settings: Settings) -> Path:
    return settings.data_dir / "backups"


def path_of(settings: Settings, name: str) -> Path:
    return folder(settings) / f"{name}{SUFFIX}"


def marker_of(settings: Settings, name: str) -> Path:
    """The file that says that the backup is at S3."""
    return folder(settings) / f"{name}{UPLOADED}"


def new_name(settings: Settings, *, is_kept: bool) -> str:
    """A name that no backup has: that of this moment, or of one soon after it."""
    moment = datetime.fromisoformat(now())
    while True:
        name = f"flowchat-{moment.strftime(_TIME)}{KEPT if is_kept else ''}"
        if not path_of(settings, name).exists():
            return name
        moment += timedelta(seconds=1)


def time_of(name: str) -> datetime | None:
    """When the backup of that name was made; None: it is no backup's name."""
    match = _NAME.fullmatch(name)
    try:
        return datetime.strptime(match[1], _TIME).replace(tzinfo=UTC) if match else None
    except ValueError:
        return None


def names(settings: Settings) -> list[str]:
    """Of what is on the disk, newest first."""
    found = [path.name.removesuffix(SUFFIX) for path in folder(settings).glob(f"flowchat-*{SUFFIX}")]
    return sorted((name for name in found if time_of(name) is not None), reverse=True)


def stored(settings: Settings) -> list[StoredBackup]:
    """What is on the disk, newest first. Reads the manifests, and nothing of the databases."""
    return [found for name in names(settings) if (found := find(settings, name)) is not None]


def find(settings: Settings, name: str) -> StoredBackup | None:
    made_at, path = time_of(name), path_of(settings, name)
    if made_at is None or not path.is_file():
        return None
    manifest, error = None, None
    try:
        manifest = backup_archive.read_manifest(path)
        size = path.stat().st_size
    except FileNotFoundError:
        return None
    except FlowChatError as damaged:
        manifest, error, size = None, damaged.message, path.stat().st_size
    return StoredBackup(name, made_at, size, manifest, error, marker_of(settings, name).exists())


def expired(found: Iterable[str], settings: Settings) -> list[str]:
    """Names of backups that have had their time.

    The newest of each of the last hours, days and weeks that have one stay, as many as the settings say; and all that
    somebody has made. Those of the future, which a wrong clock has made, wait for their time.
    """
    end = datetime.fromisoformat(now(NAMED_AHEAD_S))
    scheduled = sorted(
        (
            (made_at, name)
            for name in found
            if not name.endswith(KEPT) and (made_at := time_of(name)) is not None and made_at <= end
        ),
        reverse=True,
    )
    staying: set[str] = set()
    for count, form in (
        (settings.backup_keep_hourly, "%Y-%m-%dT%H"),
        (settings.backup_keep_daily, "%Y-%m-%d"),
        (settings.backup_keep_weekly, "%G-W%V"),
    ):
        staying |= _newest_of_each(scheduled, form, count)
    return [name for _, name in scheduled[1:] if name not in staying]


def _newest_of_each(newest_first: Sequence[tuple[datetime, str]], form: str, count: int) -> set[str]:
    spans: dict[str, str] = {}
    for made_at, name in newest_first:
        spans.setdefault(made_at.strftime(form), name)
    return set(list(spans.values())[:count])


def delete(settings: Settings, name: str) -> None:
    path_of(settings, name).unlink(missing_ok=True)
    marker_of(settings, name).unlink(missing_ok=True)
