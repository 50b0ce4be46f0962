"""Wake-ups through a real Redis, which may be lost, restarted, full, or somebody else's."""

import asyncio
import pickle
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
from appliance import operator, running
from crawling import chain, site
from processes import Redis, redis_server
from redis import Redis as Client

from flowchat import settings as settings_table
from flowchat.app import again_and_again, look_for_jobs
from flowchat.errors import FlowChatError
from flowchat.services import jobs, sources, vault
from flowchat.services.context import Appliance
from flowchat.services.source_requests import NewSource
from flowchat.tasks import Queue, redis_queue
from flowchat.tasks.redis_queue import redis_huey

LOOK_S = 0.2  # instead of 15


@asynccontextmanager
async def working(app: Appliance, redis: Redis) -> AsyncIterator[Queue]:
    """Two workers, and somebody who looks for jobs, as in a server."""
    with closing(Queue(app.settings.data_dir, redis.url)) as queue:
        app.wake = queue.wake
        queue.start(app, 2)
        looking = asyncio.create_task(again_and_again(LOOK_S, lambda: look_for_jobs(app, queue, 2)))
        try:
            yield queue
        finally:
            app.stopping.set()
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)
            await asyncio.to_thread(queue.stop)


async def crawled(app: Appliance, url: str, slug: str) -> str:
    """The status of a new source's first job, once that has ended."""
    _, job = await sources.create(app, await operator(app), NewSource(url + "/", slug=slug))
    assert job
    async with asyncio.timeout(60):
        while job.status in ("queued", "running"):
            await asyncio.sleep(0.02)
            job = await jobs.get(app, await operator(app), job.id)
    return job.status


async def test_jobs_are_done_whether_redis_is_there_or_not(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with redis_server() as redis, site(chain(2)) as server, running(tmp_path) as app:
        async with working(app, redis):
            assert await crawled(app, server.url, "there") == "succeeded"
            assert "does not carry" not in caplog.text
            await redis.kill()
            assert await crawled(app, server.url, "away") == "succeeded"
            assert caplog.text.count("does not carry wake-ups") == 1
            await redis.start()
            assert await crawled(app, server.url, "back") == "succeeded"
            while "carries wake-ups again" not in caplog.text:  # noqa: ASYNC110 (a test may poll)
                await asyncio.sleep(0.05)
        assert caplog.text.count("does not carry wake-ups") == 1
        assert "Traceback" not in caplog.text


async def test_a_full_redis(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    full = ("--maxmemory", "1", "--maxmemory-policy", "noeviction")
    async with redis_server(*full) as redis, site(chain(2)) as server, running(tmp_path) as app:
        async with working(app, redis):
            assert await crawled(app, server.url, "full") == "succeeded"
        assert "command not allowed when used memory" in caplog.text and "Traceback" not in caplog.text


async def test_a_redis_that_hangs_holds_nobody_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_queue, "ANSWER_TIMEOUT_S", 2.0)
    connected: list[asyncio.StreamWriter] = []
    silent = await asyncio.start_server(lambda reader, writer: connected.append(writer), "127.0.0.1", 0)
    url = f"redis://127.0.0.1:{silent.sockets[0].getsockname()[1]}/0"
    queue = Queue(tmp_path, url)
    async with asyncio.timeout(redis_queue.ANSWER_TIMEOUT_S / 2):
        await asyncio.to_thread(queue.wake, "job_1")
    await asyncio.to_thread(queue.close)
    assert connected
    for writer in connected:
        writer.close()
    silent.close()


async def test_what_others_write_to_the_redis_is_not_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with redis_server() as redis, site(chain(2)) as server, running(tmp_path) as app, working(app, redis):
        assert await crawled(app, server.url, "before") == "succeeded"
        await asyncio.to_thread(push, redis, queue_key(app.settings.data_dir, redis), pickle.dumps(Bomb()))
        assert await crawled(app, server.url, "after") == "succeeded"
    assert "Separator" in caplog.text or "mismatch" in caplog.text
    assert not Bomb.went_off


class Bomb:
    """Whoever unpickles it does what it says."""

    went_off = False

    def __reduce__(self) -> tuple[object, ...]:
        return setattr, (Bomb, "went_off", True)


def push(redis: Redis, key: str, message: bytes) -> None:
    with closing(Client.from_url(redis.url)) as client:
        client.lpush(key, message)


def queue_key(data_dir: Path, redis: Redis) -> str:
    return str(redis_huey(redis.url, vault.derive(data_dir, "queue").hex()).storage.queue_key)


async def test_appliances_that_share_a_redis(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    async with redis_server() as redis:
        with closing(Queue(tmp_path / "one", redis.url)) as queue:
            queue.wake("job_1")
        with closing(Queue(tmp_path / "two", redis.url)) as others, closing(Queue(tmp_path / "one", redis.url)) as ours:
            assert others.is_empty and not ours.is_empty


@pytest.mark.parametrize("url", ["redis://127.0.0.1:port", "redis://127.0.0.1:1/?socket_timeout=soon"])
def test_an_address_that_cannot_be_meant(tmp_path: Path, url: str) -> None:
    with pytest.raises(FlowChatError, match="FLOWCHAT_QUEUE_URL can't be understood") as caught:
        Queue(tmp_path, url)
    assert caught.value.code == "bad_setting"


def test_another_scheme() -> None:
    with pytest.raises(FlowChatError, match="must be a redis://"):
        settings_table.load({"FLOWCHAT_QUEUE_URL": "amqp://127.0.0.1"})
