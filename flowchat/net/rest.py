"""Calls an appliance's REST API, as its clients do: for measurements."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import httpx

TIMEOUT_S = 60.0


class Unreachable(Exception):
    """Nobody answered, or the answer broke off: nobody knows whether it was done."""


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    text: str

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    def json(self) -> Any:
        """Raises ValueError if it is none."""
        return json.loads(self.text)


class Rest:
    """An async context manager. Every call raises Unreachable."""

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        self._http = httpx.AsyncClient(base_url=url, headers=headers, timeout=TIMEOUT_S, trust_env=False)

    async def get(self, path: str, **params: str | int) -> Reply:
        return await self._send("GET", path, params=params)

    async def post(self, path: str, **request: Any) -> Reply:
        """`request`: `json`, `files` and `headers`, as httpx knows them."""
        return await self._send("POST", path, **request)

    async def delete(self, path: str) -> Reply:
        return await self._send("DELETE", path)

    async def _send(self, method: str, path: str, **request: Any) -> Reply:
        try:
            response = await self._http.request(method, path, **request)
        except httpx.TransportError as error:
            raise Unreachable(str(error)) from None
        return Reply(response.status_code, response.text)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()
