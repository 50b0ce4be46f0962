"""Composition root: opens the data folder, store, engines and queue, serves, and closes them in the opposite order."""

import asyncio
import fcntl
import json
import logging
import os
import resource
import signal
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import FrameType
from typing import IO

from hypercorn.asyncio import serve as hypercorn_serve
from hypercorn.config import Config

from flowchat import durable
from flowchat.answer.pipeline import Answerer
from flowchat.domain import now
from flowchat.engines.priority import BulkGate
from flowchat.errors import Conflict, FlowChatError
from flowchat.net import mail
from flowchat.net.appliance import wait_until_live
from flowchat.net.openai_stream import stream_chat
from flowchat.net.stripe_api.client import connect
from flowchat.net.webhook import Sender
from flowchat.services import (
    accounts,
    caps,
    curated_answers,
    events,
    queueing,
    quota_warnings,
    restoring,
    retention,
    scraping,
    sessions,
    startup,
    stranded,
    stripe_inbox,
    stripe_sync,
    tenants,
    worker,
)
from flowchat.services.context import Appliance, Context, Workshop
from flowchat.services.delivery import Deliverer
from flowchat.services.mail import Postman
from flowchat.services.metering import Reporter
from flowchat.services.revocations import FOLLOW_S
from flowchat.services.stripe_inbox import Inbox
from flowchat.settings import Settings
from flowchat.store.database import open_database
from flowchat.store.migrate import is_current, migrate
from flowchat.tasks import Queue
from flowchat.web import connections, create_web

LOCK_FILE = "flowchat.lock"
GRACE_S = 3.0  # for requests in flight when the appliance stops
LOOK_FOR_JOBS_S = 15.0
DISPOSE_S = 15.0  # what is left of old versions and revoked sources goes within this time
DELETE_OLD_S = 3600.0
BACK_UP_S = 60.0
STOP_BACKUP_S = 1.0
ERASE_CLOSED_S = 60.0
WARN_S = 60.0
LOOK_CLOSELY_S = 300.0
FREE_S = 60.0
LOOK_UP_S = 24 * 3600.0
KEPT_DESCRIPTORS = 250  # for files, models, crawls and connections that are being turned away
MOST_DESCRIPTORS = 65_536
LIVE_TIMEOUT_S = 30.0

LOCK_WAIT_S = 2.0
WORKERS_FILE = "workers.lock"
WORKERS_WAIT_S = 20.0  # for the workers of an appliance that has stopped

Report = Callable[[str], None]  # prints a text for the operator

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that holds a data folder. `url` is '' if it does not serve; `embedder` is the one it serves with."""

    pid: int
    url: str
    since: str = ""
    embedder: str = ""


@contextmanager
def holding(data_dir: Path, url: str = "", embedder: str = "") -> Iterator[None]:
    """Hold the data folder, which is made if missing, for this process alone. Raises Conflict `folder_in_use`."""
    durable.make_folder(data_dir)
    with (data_dir / LOCK_FILE).open("a+") as file:
        if not _lock(file, fcntl.LOCK_EX, LOCK_WAIT_S):
            other = _told_by(file.name)
            who = f"FlowChat at {other.url} (process {other.pid})" if other.url else f"process {other.pid or 'unknown'}"
            raise Conflict("folder_in_use", f"The data folder {data_dir} is in use by {who}. Stop that first.")
        file.truncate(0)
        file.write(json.dumps(asdict(Holder(os.getpid(), url, now(), embedder))))
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)


@contextmanager
def working_beside(settings: Settings) -> Iterator[Holder]:
    """Be a worker process of the appliance that serves the data folder, which migrates only when those have ended.

    Raises Conflict: there is none, or it is another FlowChat, or has another embedding model.
    """
    folder = settings.data_dir
    if holder(folder) is None:
        raise Conflict("not_served", f"No FlowChat serves the data folder {folder}. Start it first: flowchat serve.")
    with (folder / WORKERS_FILE).open("a+") as file:
        is_free = _lock(file, fcntl.LOCK_SH, LOCK_WAIT_S)
        server = holder(folder)
        if not is_free or server is None or not server.url or not is_current(settings.database_path):
            message = f"The data folder {folder} is not ready for workers: FlowChat is starting or stopping, or is "
            raise Conflict(
                "not_ready_for_workers", message + "another version than this one. Try again when it answers."
            )
        if server.embedder != settings.embedder:
            message = f"FLOWCHAT_EMBEDDER is {settings.embedder} here and {server.embedder} in the FlowChat that runs."
            raise Conflict("other_embedder", f"{message} Give its workers the same settings.")
        yield server


@contextmanager
def without_workers(data_dir: Path) -> Iterator[None]:
    """Keep worker processes away from a folder that is held. Those of an appliance that has stopped end by themselves.

    Raises Conflict `workers_in_use` if they don't.
    """
    with (data_dir / WORKERS_FILE).open("a+") as file:
        if not _lock(file, fcntl.LOCK_EX, WORKERS_WAIT_S):
            message = f"Worker processes of a former FlowChat still use {data_dir}. Stop them: `flowchat worker`."
            raise Conflict("workers_in_use", message)
        yield


def has_workers(data_dir: Path) -> bool:
    """Whether worker processes do the jobs of a folder."""
    with (data_dir / WORKERS_FILE).open("a+") as file:
        return not _lock(file, fcntl.LOCK_EX, 0)


def _lock(file: IO[str], kind: int, wait_s: float) -> bool:
    """Take the lock, waiting for others, such as those who only look at it for a moment."""
    deadline = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.05)


def holder(data_dir: Path) -> Holder | None:
    """Who holds the data folder at this moment."""
    path = data_dir / LOCK_FILE
    if not path.exists():
        return None
    with path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return _told_by(file.name)
    return None


def _told_by(lock_file: str) -> Holder:
    try:
        told = json.loads(Path(lock_file).read_text())
        return Holder(**told)
    except ValueError:
        return Holder(0, "")  # it has just taken the lock, or is about to give it back


def prepare_folder(settings: Settings) -> None:
    """Make or migrate a data folder, unless that is done. Raises Conflict where another process holds it."""
    if is_current(settings.database_path):
        return
    try:
        with holding(settings.data_dir), without_workers(settings.data_dir):
            migrate(settings.database_path)
    except Conflict:
        # Whoever holds the folder migrates it first of all: meanwhile it may have.
        if not is_current(settings.database_path):
            raise


@asynccontextmanager
async def open_context(settings: Settings) -> AsyncIterator[Context]:
    """The database and the queue of a prepared folder, without models. Beside a running appliance, too."""
    with closing(Queue(settings.data_dir, settings.queue_url)) as queue:
        async with open_database(settings.database_path) as db:
            yield Context(settings=settings, db=db, wake=queue.wake)


@asynccontextmanager
async def open_appliance(settings: Settings) -> AsyncIterator[tuple[Appliance, Queue]]:
    """Everything but the web, of a prepared folder that this process holds. The queue's workers are not started."""
    # Importing the model libraries takes longer than most commands, which don't need them.
    from flowchat.engines.load import load_engines

    with closing(Queue(settings.data_dir, settings.queue_url)) as queue:
        async with open_database(settings.database_path) as db:
            engines = await asyncio.to_thread(load_engines, settings, stream_chat)
            gate = BulkGate()
            answerer = Answerer(settings, db, engines, gate)
            try:
                yield (
                    Appliance(settings=settings, db=db, wake=queue.wake, engines=engines, gate=gate, answerer=answerer),
                    queue,
                )
            finally:
                await asyncio.to_thread(engines.close)


@asynccontextmanager
async def open_workshop(settings: Settings) -> AsyncIterator[tuple[Workshop, Queue]]:
    """What jobs need, of a prepared folder: the embedder is its only model. The queue's workers are not started."""
    from flowchat.engines.load import load_embedder

    with closing(Queue(settings.data_dir, settings.queue_url)) as queue:
        async with open_database(settings.database_path, gives_way=True) as db:
            embedder = await asyncio.to_thread(load_embedder, settings)
            yield Workshop(settings=settings, db=db, wake=queue.wake, embedder=embedder), queue


@asynccontextmanager
async def serve_web(app: Appliance) -> AsyncIterator[None]:
    """Its API and pages, at the address of its settings, while the block runs. Raises FlowChatError `cannot_listen`."""
    stop = asyncio.Event()
    listener = _bind(app.settings.host, app.settings.port)
    serving = asyncio.create_task(
        hypercorn_serve(create_web(app), _hypercorn(listener, app.settings), shutdown_trigger=stop.wait)
    )
    try:
        await wait_until_live(reachable_url(app.settings), LIVE_TIMEOUT_S)
        yield
    finally:
        app.stopping.set()
        await app.runs.stop_all()
        stop.set()
        await _end(serving)


def serve(settings: Settings, pull_models: Callable[[Settings], None], report: Report) -> None:
    """Serve until SIGTERM or SIGINT. `pull_models` fetches what is missing; `report` prints a text for the operator.

    Raises FlowChatError: folder or port in use, models missing, a database that is too new, a mail server that can't be
    understood.
    """
    signal.signal(signal.SIGTERM, _end_now)
    mail.server_of(settings)
    with closing(_bind(settings.host, settings.port)) as listener:
        settings = replace(settings, port=listener.getsockname()[1])
        with holding(settings.data_dir, reachable_url(settings), settings.embedder):
            with without_workers(settings.data_dir):
                restoring.tidy(settings)
                migrate(settings.database_path)
            asyncio.run(_first_start(settings, report))
            pull_models(settings)
            asyncio.run(_serve(settings, listener, report))


def _end_now(number: int, frame: FrameType | None) -> None:
    """Until it serves, there is nothing to finish. A container's first process would go on without a handler."""
    raise SystemExit(0)


def _bind(host: str, port: int) -> socket.socket:
    """A socket that does not listen yet: a port in use is said at once, and connections come when all is ready."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        reason = error.strerror or str(error)
        raise FlowChatError(
            "cannot_listen",
            f"Can't listen on {host}, port {port}: {reason}. Choose another with --host and --port, or "
            "FLOWCHAT_HOST and FLOWCHAT_PORT.",
        ) from None
    return listener


def listen_url(settings: Settings) -> str:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{settings.port}"


def reachable_url(settings: Settings) -> str:
    """The appliance's address from this machine."""
    here = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(settings.host, settings.host)  # noqa: S104
    return listen_url(replace(settings, host=here))


async def _first_start(settings: Settings, report: Report) -> None:
    async with open_context(settings) as app:
        secret = await startup.first_admin_key(app)
    if secret is not None:
        report(_boxed("Your admin API key, shown only this once:", secret, "More keys: flowchat keys create --help"))


def _boxed(*lines: str) -> str:
    width = max(len(line) for line in lines)
    inside = [f"│ {line:{width}} │" for line in lines]
    return "\n".join([f"┌{'─' * (width + 2)}┐", *inside, f"└{'─' * (width + 2)}┘"])


async def _serve(settings: Settings, listener: socket.socket, report: Report) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with open_appliance(settings) as (app, queue):
        await app.revocations.rebuild(app.db)
        await caps.recount(app)
        startup.clear_moves(app)
        await startup.resume_jobs(app)
        await startup.mark_interrupted_requests(app)
        await startup.queue_missing_work(app)
        web = create_web(app)
        deliverer = Deliverer(app, Sender(settings))
        app.wake_delivery = deliverer.wake
        workers = settings.crawl_workers
        queue.start(app, workers)
        background = [
            asyncio.create_task(_work_with_stripe(app)),
            asyncio.create_task(deliverer.run()),
            asyncio.create_task(again_and_again(DELETE_OLD_S, lambda: events.delete_old(app))),
            asyncio.create_task(again_and_again(DELETE_OLD_S, lambda: retention.delete_old(app))),
            asyncio.create_task(again_and_again(DELETE_OLD_S, lambda: sessions.delete_old(app))),
            asyncio.create_task(again_and_again(DELETE_OLD_S, lambda: curated_answers.embed_again(app))),
            asyncio.create_task(again_and_again(WARN_S, lambda: quota_warnings.warn(app))),
            asyncio.create_task(again_and_again(FREE_S, lambda: stranded.free(app))),
            asyncio.create_task(again_and_again(ERASE_CLOSED_S, lambda: tenants.erase_closed(app))),
            asyncio.create_task(again_and_again(LOOK_FOR_JOBS_S, lambda: queueing.queue_due(app))),
            asyncio.create_task(
                again_and_again(LOOK_FOR_JOBS_S, lambda: look_for_jobs(app, queue, settings.crawl_workers))
            ),
            asyncio.create_task(again_and_again(FOLLOW_S, app.revocations.follow)),
            asyncio.create_task(again_and_again(BACK_UP_S, lambda: asyncio.to_thread(app.backups.look))),
            asyncio.create_task(again_and_again(LOOK_CLOSELY_S, lambda: scraping.look_closely(app))),
            asyncio.create_task(scraping.watch_loop(app)),
            asyncio.create_task(app.engines.look_after()),
        ]
        if (mail_server := mail.server_of(settings)) is not None:
            postman = Postman(app, mail_server)
            app.wake_mail = postman.wake
            background.append(asyncio.create_task(postman.run()))
        config = _hypercorn(listener, settings)
        serving = asyncio.create_task(hypercorn_serve(web, config, shutdown_trigger=stop.wait))
        try:
            await _announce(app, serving, report)
            background.append(asyncio.create_task(again_and_again(DISPOSE_S, lambda: worker.dispose(app))))
            await asyncio.wait({serving, asyncio.create_task(stop.wait())}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stop.set()
            app.stopping.set()
            for task in background:
                task.cancel()
            await asyncio.gather(*background, return_exceptions=True)
            await app.runs.stop_all()
            await _end(serving)
            await asyncio.to_thread(queue.stop)
            await asyncio.to_thread(app.backups.wait, STOP_BACKUP_S)


async def _work_with_stripe(app: Appliance) -> None:
    """Report usage and take in what Stripe tells, where there is a key."""
    if not app.settings.stripe_api_key:
        return
    async with connect(app.settings) as stripe, asyncio.TaskGroup() as group:
        group.create_task(Reporter(app, stripe).run())
        group.create_task(Inbox(app, stripe).run())
        group.create_task(again_and_again(LOOK_UP_S, lambda: stripe_sync.sync_all(app, stripe)))
        group.create_task(again_and_again(DELETE_OLD_S, lambda: stripe_inbox.delete_old(app)))


def _hypercorn(listener: socket.socket, settings: Settings) -> Config:
    config = connections.config(listener, settings, _raise_descriptors() - KEPT_DESCRIPTORS)
    config.graceful_timeout = GRACE_S
    return config


def _raise_descriptors() -> int:
    """Let this process have as many descriptors as the system allows; returns how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MOST_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        return wanted
    return MOST_DESCRIPTORS if soft == resource.RLIM_INFINITY else soft


async def _announce(app: Appliance, serving: asyncio.Task[None], report: Report) -> None:
    """Once it answers, or not at all if it ends before. Raises FlowChatError if it doesn't answer."""
    settings = app.settings
    live = asyncio.create_task(wait_until_live(reachable_url(settings), LIVE_TIMEOUT_S))
    await asyncio.wait({serving, live}, return_when=asyncio.FIRST_COMPLETED)
    if serving.done():
        live.cancel()
        return
    await live
    url = settings.public_url.rstrip("/") or reachable_url(settings)
    if await accounts.needs_set_up(app):
        report(f"Set FlowChat up (this link works once, within a day):\n{await accounts.set_up_link(app, url)}")
    report(f"Open {url}/ in a browser.")
    report(f"ready {listen_url(settings)}")


async def again_and_again(pause_s: float, work: Callable[[], Awaitable[None]]) -> None:
    """Until it is cancelled: what failed is logged, and may go better the next time."""
    while True:
        try:
            await work()
        except Exception:
            log.exception("a task in the background failed; it is tried again in %s s", pause_s)
        await asyncio.sleep(pause_s)


async def look_for_jobs(app: Context, queue: Queue, workers: int) -> None:
    """A wake-up may get lost, a job does not. `workers`: those of this process."""
    waiting = await worker.waiting(app)
    if waiting and not workers and not has_workers(app.settings.data_dir):
        log.warning("%s jobs wait, and nobody does them: start `flowchat worker` beside the server", len(waiting))
    is_lost = await asyncio.to_thread(lambda: queue.is_empty) if waiting else False
    for job_id in waiting if is_lost else ():
        app.wake(job_id)


async def _end(serving: asyncio.Task[None]) -> None:
    """Wait for the server to end as it should; cancel it if it doesn't."""
    # From Python 3.12 on, Hypercorn waits without limit for clients that keep a stream open (its issue 308).
    await asyncio.wait({serving}, timeout=GRACE_S + 1)
    serving.cancel()
    try:
        await serving
    except asyncio.CancelledError:
        log.warning("stopped without waiting for clients that were still connected")
