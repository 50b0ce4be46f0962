"""Stripe's client over httpx. What fails is told by what it means for whoever tries again: see the three failures."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any, cast
from urllib.parse import urlsplit

import httpx
import stripe

from flowchat.errors import Conflict, FlowChatError
from flowchat.net.fetch import retry_after_s
from flowchat.settings import Settings

TIMEOUT_S = 20.0  # of a whole exchange
CONNECT_TIMEOUT_S = 5.0
RETRIES = 1  # of calls that somebody waits for, with the same idempotency key
NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)

stripe.enable_telemetry = False  # nothing about this machine
logging.getLogger("stripe").setLevel(logging.WARNING)  # it tells of every call
log = logging.getLogger(__name__)


class StripeFailure(FlowChatError):
    """A call that came to nothing, or nobody knows."""


class Refused(StripeFailure):
    """Stripe does not do this, now or later. `stripe_code` is its own word for why."""

    def __init__(self, message: str, stripe_code: str = "") -> None:
        super().__init__("stripe_refused", f"Stripe refuses this: {message}", status=502)
        self.stripe_code = stripe_code


class Unavailable(StripeFailure):
    """It was surely not done, but may be later: no connection, a key that isn't taken, too many calls."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        whole_s = None if retry_after_s is None else int(retry_after_s) + 1
        super().__init__("stripe_unavailable", message, status=503, retry_after_s=whole_s)


class Unanswered(StripeFailure):
    """Nobody knows whether it was done."""

    def __init__(self, message: str) -> None:
        super().__init__("stripe_unanswered", message, status=504)


class Stripe:
    """`api` is the library's client. Its calls belong inside `failures()`, and all of them in one event loop."""

    def __init__(self, settings: Settings, timeout_s: float = TIMEOUT_S) -> None:
        if not settings.stripe_api_key:
            message = "Nothing is billed here: the operator sets FLOWCHAT_STRIPE_API_KEY to begin."
            raise Conflict("not_billed", message)
        base = settings.stripe_api_base.rstrip("/")
        self._http = _Http(timeout_s, uses_proxies=base.startswith("https:"))
        self.api = stripe.StripeClient(
            settings.stripe_api_key,
            base_addresses={"api": base},
            http_client=self._http,
            max_network_retries=RETRIES,
        )

    async def aclose(self) -> None:
        await self._http.close_async()


@asynccontextmanager
async def connect(settings: Settings, timeout_s: float = TIMEOUT_S) -> AsyncIterator[Stripe]:
    """Raises Conflict `not_billed` where there is no key."""
    client = Stripe(settings, timeout_s)
    try:
        yield client
    finally:
        await client.aclose()


@contextmanager
def failures() -> Iterator[None]:
    """Raises Refused, Unavailable or Unanswered for what the library raises."""
    try:
        yield
    except stripe.StripeError as error:
        raise _failure(error) from error


def _failure(error: stripe.StripeError) -> StripeFailure:
    status, message = error.http_status, error.user_message or type(error).__name__
    if isinstance(error, stripe.APIConnectionError):
        cause = error.__cause__
        reason = str(cause) or type(cause).__name__
        if isinstance(cause, NOT_SENT):
            return Unavailable(f"Stripe can't be reached: {reason}.")
        return Unanswered(f"Stripe has not answered: {reason}.")
    if isinstance(error, stripe.RateLimitError) or status == 429:
        return Unavailable("Stripe asks to slow down.", retry_after_s(error.headers or {}))
    if status in (401, 403):
        return Unavailable(f"Stripe does not take FLOWCHAT_STRIPE_API_KEY for this: {message}")
    # A conflict may be with a call that is still under way.
    if status is not None and 400 <= status < 500 and status != 409:
        return Refused(message, error.code or "")
    return Unanswered(f"Stripe answered {status}: {message}")


_no_answer = cast("Callable[..., stripe.APIConnectionError]", stripe.APIConnectionError)  # it has no types


class _Http(stripe.HTTPClient):
    """The library's own httpx client sends bodies in a way that httpx warns of, and hides why a call failed."""

    name = "httpx"

    def __init__(self, timeout_s: float, *, uses_proxies: bool) -> None:
        super().__init__()
        self._timeout_s = timeout_s
        timeout = httpx.Timeout(timeout_s, connect=CONNECT_TIMEOUT_S)
        self._client = httpx.AsyncClient(timeout=timeout, trust_env=uses_proxies)

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        try:
            async with asyncio.timeout(self._timeout_s):
                answer = await self._client.request(method, url, headers=headers, content=post_data)
        except (httpx.HTTPError, TimeoutError, OSError) as error:
            raise _no_answer(type(error).__name__, should_retry=True) from error
        told = (method, urlsplit(url).path, answer.status_code, answer.headers.get("request-id"))
        log.debug("Stripe: %s %s %s (%s)", *told)  # by its request id Stripe finds a call in its own log
        return answer.content, answer.status_code, answer.headers

    async def sleep_async(self, secs: float) -> None:
        await asyncio.sleep(secs)

    async def close_async(self) -> None:
        await self._client.aclose()
