"""A bucket of any S3 server, for backups. All of it blocks: call it in a thread."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from flowchat.errors import FlowChatError
from flowchat.settings import Settings

CONNECT_TIMEOUT = "10s"
TIMEOUT = "300s"  # of one request: 5 MB take that long at 0.14 Mbit/s
RETRIES = 3
RETRY_WITHIN = timedelta(minutes=2)
PARTS_AT_ONCE = 2  # each is 5 MB of memory
PIECE_BYTES = 1 << 20

Note = Callable[[int, int], None]  # is told bytes done and in all, and may raise to end it


@dataclass(frozen=True, slots=True)
class Remote:
    """A file in the bucket. `name` has no prefix."""

    name: str
    bytes: int


class Bucket:
    """The bucket of the settings. All calls raise FlowChatError `s3_failed`."""

    def __init__(self, settings: Settings) -> None:
        bucket, _, prefix = settings.backup_s3_bucket.partition("/")
        self._where = f"s3://{settings.backup_s3_bucket.rstrip('/')}"
        self._store = S3Store(
            bucket,
            prefix=prefix.strip("/") or None,
            endpoint=settings.backup_s3_endpoint or None,
            region=settings.backup_s3_region,
            access_key_id=settings.backup_s3_access_key,
            secret_access_key=settings.backup_s3_secret_key,
            client_options={"allow_http": True, "connect_timeout": CONNECT_TIMEOUT, "timeout": TIMEOUT},
            retry_config={"max_retries": RETRIES, "retry_timeout": RETRY_WITHIN},
        )

    def list(self) -> list[Remote]:
        """What lies directly under the prefix."""
        try:
            found = [meta for batch in obstore.list(self._store) for meta in batch]
        except (BaseError, OSError) as error:
            raise self._failed("be listed", error) from None
        return [Remote(meta["path"], meta["size"]) for meta in found if "/" not in meta["path"]]

    def upload(self, path: Path, name: str) -> None:
        """It is there whole, or not at all."""
        try:
            obstore.put(self._store, name, path, max_concurrency=PARTS_AT_ONCE)
            stored = obstore.head(self._store, name)["size"]
        except (BaseError, OSError) as error:
            raise self._failed(f"take {name}", error) from None
        if stored != path.stat().st_size:
            raise FlowChatError("s3_failed", f"{self._where} has {stored} bytes of {name}, not {path.stat().st_size}.")

    def download(self, name: str, target: Path, note: Note) -> None:
        try:
            found = obstore.get(self._store, name)
            size, done = found.meta["size"], 0
            with target.open("wb") as file:
                for piece in found.stream(min_chunk_size=PIECE_BYTES):
                    file.write(piece)
                    done += len(piece)
                    note(done, size)
        except FileNotFoundError:
            raise FlowChatError("not_found", f"There is no {name} at {self._where}.", status=404) from None
        except BaseError as error:
            raise self._failed(f"give {name}", error) from None

    def delete(self, name: str) -> None:
        try:
            obstore.delete(self._store, name)
        except FileNotFoundError:
            pass
        except (BaseError, OSError) as error:
            raise self._failed(f"delete {name}", error) from None

    def _failed(self, what: str, error: Exception) -> FlowChatError:
        reason = " ".join(str(error).partition("\n\nDebug source")[0].split())
        return FlowChatError("s3_failed", f"{self._where} did not {what}: {reason[:500]}", status=502)


def bucket_of(settings: Settings) -> Bucket | None:
    """None: backups stay on this disk. Raises FlowChatError `bad_setting` where it is named without its keys."""
    if not settings.backup_s3_bucket:
        return None
    if not settings.backup_s3_access_key or not settings.backup_s3_secret_key:
        message = "FLOWCHAT_BACKUP_S3_BUCKET needs FLOWCHAT_BACKUP_S3_ACCESS_KEY and FLOWCHAT_BACKUP_S3_SECRET_KEY."
        raise FlowChatError("bad_setting", message, param="FLOWCHAT_BACKUP_S3_BUCKET")
    return Bucket(settings)
