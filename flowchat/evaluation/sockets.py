"""The network as an evaluation sees it: each connection that this process makes, and names that it made up."""

import ipaddress
import socket
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

Connections = list[tuple[str, int]]
_watching: list[Connections] = []
_installed: list[bool] = []


@contextmanager
def connections() -> Iterator[Connections]:
    """The address and port of every connect of this process, in whatever library, while the block runs.

    By an audit hook (PEP 578), which also makes all of them fail that would leave the machine.
    """
    if not _installed:
        sys.addaudithook(_on_event)
        _installed.append(True)
    seen: Connections = []
    _watching.append(seen)
    try:
        yield seen
    finally:
        _watching.remove(seen)


def _on_event(event: str, arguments: tuple[Any, ...]) -> None:
    if event != "socket.connect" or not _watching or not isinstance(arguments[1], tuple):
        return
    host, port, *_ = arguments[1]
    for seen in _watching:
        seen.append((host, port))
    if not ipaddress.ip_address(host.partition("%")[0]).is_loopback:
        raise PermissionError(f"no connection to {host} while connections are watched")


@contextmanager
def names(answers: Mapping[str, tuple[tuple[str, ...], ...]]) -> Iterator[Counter[str]]:
    """Name look-ups that ask no name server: each name has its answers, one after the other, the last for good.

    Yields how often each was looked up. Numeric addresses are read by the system, other names don't exist.
    """
    asked: Counter[str] = Counter()
    system = socket.getaddrinfo

    def look_up(host: Any, port: Any, *_: Any, **__: Any) -> list[Any]:
        host = host.decode() if isinstance(host, bytes) else host
        asked[host] += 1
        if host not in answers:
            return system(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        addresses = answers[host][min(asked[host], len(answers[host])) - 1]
        return [_entry(address, port) for address in addresses]

    with patch.object(socket, "getaddrinfo", look_up):
        yield asked


def _entry(address: str, port: int) -> tuple[Any, ...]:
    if ":" in address:
        return (socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, "other.test", (address, port, 0, 0))
    return (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "other.test", (address, port))
