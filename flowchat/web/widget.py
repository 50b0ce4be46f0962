"""The widget's script, `/v1.js`, the same under an address of its own, and the widget's texts in other languages."""

import base64
import gzip
import hashlib
import re
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path
from typing import cast

import brotli
from quart import Blueprint, Response, current_app, redirect, request

from flowchat.errors import NotFound

blueprint = Blueprint("widget", __name__)

_FILE = "v1.js"
_LANGUAGE = re.compile(r"[a-z]{2,3}", re.ASCII)
# An update of FlowChat reaches visitors within the hour, and nobody waits for the question whether there is one.
_LATEST = "public, max-age=300, stale-while-revalidate=3600"
_IMMUTABLE = "public, max-age=31536000, immutable"
_HEADERS = {
    "Access-Control-Allow-Origin": "*",  # a page that names an integrity must be able to read it
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Vary": "Accept-Encoding",
}
_JAVASCRIPT = "text/javascript; charset=utf-8"
_DIGEST_CHARS = 16


@dataclass(frozen=True, slots=True)
class Asset:
    """A file. `encoded`: its bytes by Accept-Encoding's name, the best first. `integrity`: for a script's attribute."""

    digest: str
    integrity: str
    encoded: dict[str, bytes]


@cache
def read_asset(path: Path) -> Asset:
    """Compressed once, as small as it gets. Raises OSError."""
    content = path.read_bytes()
    return Asset(
        digest=hashlib.sha256(content).hexdigest()[:_DIGEST_CHARS],
        integrity=f"sha384-{base64.b64encode(hashlib.sha384(content).digest()).decode()}",
        encoded={"br": brotli.compress(content), "gzip": gzip.compress(content, 9, mtime=0), "identity": content},
    )


def script() -> Asset:
    return read_asset(_static_folder() / _FILE)


def _static_folder() -> Path:
    return Path(str(current_app.static_folder))


def pinned_line(origin: str) -> str:
    """The script of this very content, as HTML: browsers refuse any other."""
    found = script()
    address = escape(f"{origin}/widget/{found.digest}/{_FILE}")
    return f'<script src="{address}" integrity="{found.integrity}" crossorigin="anonymous" defer></script>'


@blueprint.get("/v1.js")
async def latest() -> Response:
    return await _serve(script(), _JAVASCRIPT, _LATEST)


@blueprint.get("/widget/<digest>/v1.js")
async def pinned(digest: str) -> Response:
    """After an update, former addresses lead to what there is now. Browsers refuse it to lines with `integrity`."""
    if digest != script().digest:
        moved = cast(Response, redirect(f"/{_FILE}"))
        moved.headers.extend(_HEADERS)
        return moved
    return await _serve(script(), _JAVASCRIPT, _IMMUTABLE)


@blueprint.get("/widget/locales/<language>.json")
async def locale(language: str) -> Response:
    path = _static_folder().parent / "widget" / "locales" / f"{language}.json"
    if not _LANGUAGE.fullmatch(language) or not path.is_file():
        raise NotFound("locale", language)
    return await _serve(read_asset(path), "application/json", _LATEST)


async def _serve(found: Asset, content_type: str, cache_control: str) -> Response:
    encoding = request.accept_encodings.best_match(found.encoded, "identity")
    response = Response(found.encoded[encoding], content_type=content_type, headers=_HEADERS)
    response.headers["Cache-Control"] = cache_control
    if encoding != "identity":
        response.headers["Content-Encoding"] = encoding
    response.set_etag(f"{found.digest}-{encoding}")
    return await response.make_conditional(request)
