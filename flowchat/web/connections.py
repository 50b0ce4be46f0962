"""Connections: bounded in number, in time and in what they keep in memory, and HTTP/1.1 only.

Hypercorn by itself takes any number of them, waits for ever for a reader that does not read, and speaks HTTP/2 with
whoever begins with it. For each connection its server makes what the name `TCPServer` in its module `run` means; the
last line of this file lets it mean `Connection`, which is theirs with those bounds, where `config` was used.
"""

import asyncio
import socket
import struct
from contextlib import suppress

import h11
from hypercorn.asyncio import run as hypercorn_run
from hypercorn.asyncio.task_group import TaskGroup
from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.asyncio.worker_context import WorkerContext
from hypercorn.config import Config
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.protocol.h11 import H11Protocol
from hypercorn.typing import AppWrapper, ConnectionState, LifespanState
from hypercorn.utils import parse_socket_addr

from flowchat.settings import Settings
from flowchat.web import auth
from flowchat.web.admission import MOST_LINGERING, BoundedConfig, Connections, problem

HEAD_S = 20.0  # from a connection's begin to the end of its first request's head
KEEP_ALIVE_S = 75.0  # the same from one request to the next; longer than common reverse proxies keep theirs
WRITE_S = 30.0  # of one write, whose reader does not read
CLOSE_S = 5.0  # for what is left to be read when a connection ends
LINGER_S = 1.0  # of a connection that is turned away, so that its client gets to read why
RECEIVED_BYTES = 64 * 1024  # at a time
SEND_BUFFER_BYTES = 128 * 1024  # the kernel's, of a connection; by itself it takes megabytes for a reader that stalls


def config(listener: socket.socket, settings: Settings, descriptors: int) -> BoundedConfig:
    """For a listening socket, which it takes over. `descriptors`: how many the process may have for connections."""
    proxies = auth.parse_networks(settings.trusted_proxies)
    most = min(settings.max_connections, descriptors)
    bounded = BoundedConfig(
        Connections(most, settings.max_connections_per_address, lambda address: auth.is_among(address, proxies))
    )
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)  # its connections inherit it
    bounded.bind = [f"fd://{listener.detach()}"]
    return bounded


class _Http11(H11Protocol):
    """HTTP/1.1 and nothing that it can be upgraded to."""

    async def _check_protocol(self, event: h11.Request) -> None:
        """Hypercorn would begin with HTTP/2 here."""

    async def _create_stream(self, request: h11.Request) -> None:
        headers = [(name, value) for name, value in request.headers.raw_items() if name.lower() != b"upgrade"]
        plain = h11.Request(
            method=request.method, target=request.target, headers=headers, http_version=request.http_version
        )
        await super()._create_stream(plain)


class Connection(TCPServer):
    """One connection, from its admission to its end."""

    config: BoundedConfig

    async def run(self) -> None:
        connection = self.writer.get_extra_info("socket")
        try:
            client = parse_socket_addr(connection.family, connection.getpeername())
            server = parse_socket_addr(connection.family, connection.getsockname())
        except OSError:  # it has gone already
            self.writer.transport.abort()
            return
        address = client[0] if client else ""
        if (refusal := self.config.connections.enter(address)) is not None:
            await self._turn_away(*refusal)
            return
        try:
            await self._serve(client, server)
        except asyncio.CancelledError:
            if not self.context.terminated.is_set():  # else the server stops, and asyncio would log it as a failure
                raise
        finally:
            self.config.connections.leave(address)

    async def _serve(self, client: tuple[str, int] | None, server: tuple[str, int] | None) -> None:
        self._reading: asyncio.Task[None] | None = None
        self._abort: asyncio.TimerHandle | None = None
        self._idle_s = HEAD_S
        # asyncio receives 256 KiB at a time and keeps half as much waiting; Hypercorn passes no other limits on.
        self.writer.transport.max_size = RECEIVED_BYTES  # type: ignore[attr-defined]
        self.reader._limit = RECEIVED_BYTES // 2  # type: ignore[attr-defined]
        try:
            async with TaskGroup(self.loop) as task_group:
                self._task_group = task_group
                self.protocol = _Http11(  # type: ignore[assignment]  # it does what their wrapper of protocols does
                    self.app,
                    self.config,
                    self.context,
                    task_group,
                    ConnectionState(self.state),
                    ssl=False,
                    client=client,
                    server=server,
                    send=self.protocol_send,
                )
                await self.idle_task.restart(task_group, self._idle_timeout)
                await self._read_data()
        except OSError:
            pass
        finally:
            await self._close()

    async def _turn_away(self, status: int, code: str, message: str) -> None:
        self.writer.write(problem(status, code, message))
        connections = self.config.connections
        if connections.lingering < MOST_LINGERING:
            connections.lingering += 1
            try:
                async with asyncio.timeout(LINGER_S):
                    self.writer.write_eof()
                    while await self.reader.read(RECEIVED_BYTES):  # else the kernel takes the answer back
                        pass
            except OSError:  # a TimeoutError is one
                pass
            finally:
                connections.lingering -= 1
        self.writer.transport.abort()

    async def _read_data(self) -> None:
        """A task of its own, which ends with the connection even where nobody takes what it has read."""
        self._reading = asyncio.create_task(self._read_all())
        await asyncio.wait([self._reading])
        if not self._reading.cancelled():
            self._reading.result()
        await self.idle_task.stop()  # else the connection of a client that has gone stays for as long as an idle one
        await self.protocol.handle(Closed())

    async def _read_all(self) -> None:
        while not self.reader.at_eof():
            try:
                data = await self.reader.read(RECEIVED_BYTES)
            except OSError:
                return
            await self.protocol.handle(RawData(data))

    async def protocol_send(self, event: Event) -> None:
        if isinstance(event, RawData):
            async with self.send_lock:
                if self.writer.is_closing():
                    return  # whoever writes hears of it by `Closed`
                try:
                    async with asyncio.timeout(WRITE_S):
                        self.writer.write(event.data)
                        await self.writer.drain()
                except (OSError, RuntimeError):
                    self._cut()
                    self._stop_reading()
                    await self.protocol.handle(Closed())
        elif isinstance(event, Closed):
            self._begin_to_close()
            self._stop_reading()
        elif isinstance(event, Updated) and event.idle:
            self._idle_s = KEEP_ALIVE_S
            await self.idle_task.restart(self._task_group, self._idle_timeout)
        elif isinstance(event, Updated):
            await self.idle_task.stop()

    async def _idle_timeout(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._idle_s):
                await self.context.terminated.wait()
        await asyncio.shield(self._initiate_server_close())

    async def _initiate_server_close(self) -> None:
        self._begin_to_close()
        await self.protocol.handle(Closed())

    def _begin_to_close(self) -> None:
        """What is written already still goes out, if its reader takes it soon."""
        if self._abort is None:
            wait_s = LINGER_S if self.context.terminated.is_set() else CLOSE_S
            self._abort = self.loop.call_later(wait_s, self._cut)
        with suppress(OSError, RuntimeError):
            self.writer.write_eof()
        self.writer.close()

    def _cut(self) -> None:
        """End it at once, and let the kernel forget what it would still offer to a reader that does not read."""
        connection = self.writer.get_extra_info("socket")
        with suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    def _stop_reading(self) -> None:
        """Requests that have come already are not answered any more."""
        if self._reading is not None and self._reading is not asyncio.current_task():
            self._reading.cancel()

    async def _close(self) -> None:
        """The end of `_serve`, which alone may wait: whoever is cancelled while waiting would cancel the others."""
        self._begin_to_close()
        try:
            with suppress(OSError):
                await self.writer.wait_closed()
        finally:
            await self.idle_task.stop()
            self._stop_reading()
            if self._abort is not None:
                self._abort.cancel()


def _connection(
    app: AppWrapper,
    loop: asyncio.AbstractEventLoop,
    config: Config,
    context: WorkerContext,
    state: LifespanState,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> TCPServer:
    """Theirs for servers that are configured otherwise."""
    kind = Connection if isinstance(config, BoundedConfig) else TCPServer
    return kind(app, loop, config, context, state, reader, writer)


hypercorn_run.TCPServer = _connection  # type: ignore[assignment, attr-defined]
