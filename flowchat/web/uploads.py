"""Requests that bring files: larger bodies, and forms read into the same typed requests as JSON."""

import asyncio
import re
from typing import Any, cast

from hypercorn.typing import ASGIReceiveCallable, ASGIReceiveEvent, ASGISendCallable, ASGISendEvent, HTTPScope
from quart import Quart, Request, request
from quart.asgi import ASGIHTTPConnection

from flowchat.errors import FlowChatError
from flowchat.services.stripe_setup import EVENTS_PATH
from flowchat.services.uploads import Upload, UploadedFile
from flowchat.web.calls import CALLS

FILES_FIELD = "file"
ADMIN_PATHS = ("/admin/sources/{source}/documents",)
MAX_EVENT_BYTES = 256 * 1024  # of Stripe's: its signature can only be checked once all of it is here
BODY_TIMEOUT_S = 20.0  # for all of a body that is read
UPLOAD_TIMEOUT_S = 600.0  # of files
DROP_S = 5.0  # a refused body is read no longer than this


def is_upload(request_type: type | None) -> bool:
    """Whether a call takes a form with files."""
    return isinstance(request_type, type) and issubclass(request_type, Upload)


def request_class(max_bytes: int) -> type[Request]:
    """Requests whose body may have `max_bytes` where files are uploaded, and MAX_CONTENT_LENGTH elsewhere.

    Quart takes the limit before it knows the route, and reads the body beside the handler: see `Connection`.
    """
    calls = [call.path for call in CALLS if is_upload(call.request_type)]
    paths = [re.compile(re.sub("{[^}]+}", "[^/]+", path)) for path in (*calls, *ADMIN_PATHS)]

    class UploadRequest(Request):
        def __init__(self, method: str, scheme: str, path: str, *args: Any, **options: Any) -> None:
            self.small_bytes = options["max_content_length"]
            self.admitted = asyncio.Event()
            if (method, path) == ("POST", EVENTS_PATH):
                self.small_bytes = options["max_content_length"] = MAX_EVENT_BYTES
            if method == "POST" and any(pattern.fullmatch(path) for pattern in paths):
                options["max_content_length"] = max_bytes
                options["body_timeout"] = UPLOAD_TIMEOUT_S
            else:
                self.admitted.set()
            super().__init__(method, scheme, path, *args, **options)
            self.max_content_length = options["max_content_length"]

    return UploadRequest


class Connection(ASGIHTTPConnection):
    """Takes no more of a body than any request may have until its handler, which knows who asks, has admitted it.

    What is refused is taken and dropped before the answer goes out: Hypercorn would wait for it for ever.
    """

    def __init__(self, app: Quart, scope: HTTPScope) -> None:
        super().__init__(app, scope)
        self._answering = asyncio.Event()
        self._taken_whole = asyncio.Event()

    async def __call__(self, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        async def send_after_the_body(message: ASGISendEvent) -> None:
            if message["type"] == "http.response.start":
                self._answering.set()
                await _first_of(self._taken_whole, timeout_s=DROP_S)
            await send(message)

        await super().__call__(receive, send_after_the_body)

    async def handle_messages(self, request: Any, receive: ASGIReceiveCallable) -> None:
        taken = 0

        async def receive_admitted() -> ASGIReceiveEvent:
            nonlocal taken
            message = cast(dict[str, Any], await receive())
            if not message.get("more_body", False):
                self._taken_whole.set()
            taken += len(message.get("body", b""))
            if taken > request.small_bytes:
                await _first_of(request.admitted, self._answering)
                if not request.admitted.is_set():
                    message["body"] = b""
            return cast(ASGIReceiveEvent, message)

        await super().handle_messages(request, receive_admitted)


async def _first_of(*events: asyncio.Event, timeout_s: float | None = None) -> None:
    """Wait until one of them is set."""
    if not any(event.is_set() for event in events):
        waiting = [asyncio.ensure_future(event.wait()) for event in events]
        try:
            await asyncio.wait(waiting, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()


async def read_form(request_type: type | None = None) -> dict[str, Any]:
    """The fields of a form: texts, and the files under `file`. Raises FlowChatError, 415 for another content type."""
    if request.mimetype != "multipart/form-data":
        raise FlowChatError(
            "unsupported_media_type",
            f"Send the files as a form: multipart/form-data, each in a field '{FILES_FIELD}'.",
            status=415,
        )
    request.admitted.set()  # type: ignore[attr-defined]  # our class of requests has it
    files = (await request.files).getlist(FILES_FIELD)
    if not files:
        message = f"There is no file. Send each in a form field '{FILES_FIELD}' (curl: -F {FILES_FIELD}=@guide.pdf)."
        raise FlowChatError("bad_file", message, param=FILES_FIELD)
    uploaded = tuple(
        UploadedFile(name=file.filename or "", content_type=file.mimetype or "", content=file.read()) for file in files
    )
    fields: dict[str, Any] = {name: value for name, value in (await request.form).items() if name != FILES_FIELD}
    return {**fields, FILES_FIELD: uploaded} if uploaded else fields
