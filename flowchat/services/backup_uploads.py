"""Backups at S3: those of the folder are taken there, and fetched from there to be restored."""

import logging
from pathlib import Path

from flowchat.errors import FlowChatError
from flowchat.net.s3 import Bucket, bucket_of
from flowchat.services import backup_archive, backup_files, backup_making
from flowchat.services.backup_making import Progress
from flowchat.settings import Settings

SCHEME = "s3:"
_FETCHING = ".fetching-"
_NAMED = 20

log = logging.getLogger(__name__)


def upload_missing(settings: Settings) -> int:
    """Take there what is not there yet, the newest first, and delete there what has had its time; returns how many
    were taken. Raises FlowChatError `s3_failed`.
    """
    bucket = bucket_of(settings)
    if bucket is None:
        return 0
    waiting = missing(settings)
    for name in waiting:
        bucket.upload(backup_files.path_of(settings, name), name + backup_files.SUFFIX)
        backup_files.marker_of(settings, name).touch()
    if waiting and settings.backup_s3_rotate:
        _rotate(bucket, settings)
    return len(waiting)


def missing(settings: Settings) -> list[str]:
    """Of what is on the disk, what was not taken there yet, newest first."""
    return [name for name in backup_files.names(settings) if not backup_files.marker_of(settings, name).exists()]


def _rotate(bucket: Bucket, settings: Settings) -> None:
    try:
        for name in backup_files.expired(_names(bucket), settings):
            bucket.delete(name + backup_files.SUFFIX)
    except FlowChatError as error:
        # The key may only write, which is a good thing.
        log.warning("old backups stay at S3: %s FLOWCHAT_BACKUP_S3_ROTATE=no leaves them to the bucket.", error.message)


def names(settings: Settings) -> list[str]:
    """Of what is at S3, newest first. Raises FlowChatError `s3_failed` and `bad_setting`."""
    return _names(_required(settings))


def _names(bucket: Bucket) -> list[str]:
    found = [remote.name.removesuffix(backup_files.SUFFIX) for remote in bucket.list()]
    return sorted((name for name in found if backup_files.time_of(name) is not None), reverse=True)


def fetch(settings: Settings, name: str, progress: Progress) -> Path:
    """Bring a backup into the folder of backups, verified; returns where it is.

    Raises FlowChatError `s3_failed`, `not_found`, `bad_backup` and `bad_setting`.
    """
    bucket, name = _required(settings), name.removesuffix(backup_files.SUFFIX)
    if backup_files.time_of(name) is None:
        there = ", ".join(_names(bucket)[:_NAMED]) or "none"
        raise FlowChatError("not_found", f"'{name}' is no backup's name. Newest at S3: {there}.", status=404)
    path = backup_files.path_of(settings, name)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fetching = path.with_name(f"{_FETCHING}{path.name}")
    try:
        with backup_making.disk_full_explained("the backup was fetched", path.parent):
            bucket.download(path.name, fetching, lambda done, total: progress("fetching", done, total))
            backup_archive.verify(fetching, backup_archive.read_manifest(fetching))
            fetching.replace(path)
    finally:
        fetching.unlink(missing_ok=True)
    backup_files.marker_of(settings, name).touch()
    return path


def delete(settings: Settings, name: str) -> None:
    """Raises FlowChatError `s3_failed`."""
    bucket = bucket_of(settings)
    if bucket is not None:
        bucket.delete(name + backup_files.SUFFIX)


def _required(settings: Settings) -> Bucket:
    bucket = bucket_of(settings)
    if bucket is None:
        message = "No bucket is set: FLOWCHAT_BACKUP_S3_BUCKET and its keys say where backups are."
        raise FlowChatError("bad_setting", message, param="FLOWCHAT_BACKUP_S3_BUCKET")
    return bucket
