"""Wake-ups through a Redis. Nothing depends on it: where it takes or gives none, workers find the jobs themselves."""

import logging
import threading
from importlib.util import find_spec
from queue import Empty, SimpleQueue

from huey.api import Huey
from huey.serializer import SignedSerializer
from huey.storage import RedisStorage

from flowchat.errors import FlowChatError

WAIT_S = 1  # for the next wake-up; so long a stop may take
CONNECT_TIMEOUT_S = 2.0
ANSWER_TIMEOUT_S = WAIT_S + 4.0
_NAME_CHARS = 16

log = logging.getLogger(__name__)


def redis_huey(url: str, secret: str) -> Huey:
    """Messages are signed with `secret`, and no others are read: they are pickled, and others may write to the Redis.

    The queue's name is made of it, too, so that several appliances can share a Redis. Raises FlowChatError
    `bad_setting`, and `redis_missing` where the client is not installed.
    """
    if find_spec("redis") is None:
        message = "FLOWCHAT_QUEUE_URL needs the package redis. Run scripts/serve with it set, or `pip install redis`."
        raise FlowChatError("redis_missing", message)
    from redis import ConnectionPool
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    try:
        pool = ConnectionPool.from_url(
            url,
            socket_connect_timeout=CONNECT_TIMEOUT_S,
            socket_timeout=ANSWER_TIMEOUT_S,
            retry=Retry(NoBackoff(), 1),  # of a connection that a restarted Redis has closed
        )
    except ValueError as error:
        message = f"FLOWCHAT_QUEUE_URL can't be understood ({error}). It looks like redis://:PASSWORD@HOST:6379/0."
        raise FlowChatError("bad_setting", message, param="FLOWCHAT_QUEUE_URL") from None
    return _RedisHuey(
        f"flowchat_{secret[:_NAME_CHARS]}",
        results=False,
        serializer=SignedSerializer(secret),
        storage_class=_Storage,
        connection_pool=pool,
        read_timeout=WAIT_S,
    )


class _RedisHuey(Huey):  # type: ignore[misc]
    """Asks Redis for wake-ups, and for nothing else of Huey's, which would fail where it is away."""

    def is_revoked(self, task: object, timestamp: object = None, peek: bool = True) -> bool:
        """No wake-up is ever taken back."""
        return False


class _Storage(RedisStorage):  # type: ignore[misc]
    """What a Redis that is away, or full, does not take is kept for this process's own workers, if it has any.

    There are no results, and nothing is scheduled or taken back.
    """

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self._has_workers = False
        self._kept: SimpleQueue[bytes] = SimpleQueue()
        self._fault = ""
        self._telling = threading.Lock()

    def enqueue(self, data: bytes, priority: float | None = None) -> None:
        from redis.exceptions import RedisError

        try:
            super().enqueue(data, priority)
            self._tell("")
        except RedisError as error:
            self._tell(str(error))
            if self._has_workers:
                self._kept.put(data)

    def dequeue(self) -> bytes | None:
        from redis.exceptions import RedisError

        self._has_workers = True
        if (kept := self._take_kept(0)) is not None:
            return kept
        try:
            data: bytes | None = super().dequeue()
            self._tell("")
        except RedisError as error:
            self._tell(str(error))
            return self._take_kept(WAIT_S)
        return data

    def _take_kept(self, wait_s: float) -> bytes | None:
        try:
            return self._kept.get(timeout=wait_s) if wait_s else self._kept.get_nowait()
        except Empty:
            return None

    def queue_size(self) -> int:
        from redis.exceptions import RedisError

        try:
            return int(super().queue_size()) + self._kept.qsize()
        except RedisError as error:
            self._tell(str(error))
            return self._kept.qsize()

    def close(self) -> None:
        self.pool.disconnect()

    def read_schedule(self, ts: object) -> list[bytes]:
        return []

    def delete_data(self, key: str) -> bool:
        return False

    def _tell(self, fault: str) -> None:
        """Log what is wrong when it begins, and when it has ended."""
        with self._telling:
            if bool(fault) == bool(self._fault):
                return
            self._fault = fault
        if fault:
            log.warning("Redis does not carry wake-ups (%s): jobs begin up to 15 s later until it does again", fault)
        else:
            log.warning("Redis carries wake-ups again")
