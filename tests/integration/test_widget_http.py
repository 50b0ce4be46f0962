"""`/v1.js` as browsers and caches get it."""

import gzip
import hashlib
from pathlib import Path

import brotli
import pytest
from web_server import Served, serving

from flowchat.services import homepage

SCRIPT = (Path(__file__).resolve().parents[2] / "static/v1.js").read_bytes()
PINNED = f"/widget/{hashlib.sha256(SCRIPT).hexdigest()[:16]}/v1.js"


async def raw(served: Served, path: str, accept: str) -> tuple[str, bytes]:
    """(Content-Encoding, body as it was sent)."""
    async with served.client.stream("GET", path, headers={"Accept-Encoding": accept}) as response:
        assert response.status_code == 200
        body = b"".join([part async for part in response.aiter_raw()])
        return response.headers.get("Content-Encoding", ""), body


@pytest.mark.parametrize("path", ["/v1.js", PINNED])
async def test_the_headers(tmp_path: Path, path: str) -> None:
    async with serving(tmp_path) as served:
        got = await served.client.get(path, headers={"Origin": "https://shop.example"})
        assert got.content == SCRIPT and got.headers["Content-Type"] == "text/javascript; charset=utf-8"
        kept = "max-age=31536000, immutable" if path == PINNED else "max-age=300, stale-while-revalidate=3600"
        assert got.headers["Cache-Control"] == f"public, {kept}"
        assert got.headers["Access-Control-Allow-Origin"] == "*"
        assert got.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
        assert got.headers["X-Content-Type-Options"] == "nosniff" and got.headers["Vary"] == "Accept-Encoding"
        assert not {"Set-Cookie", "RateLimit", "RateLimit-Policy"} & set(got.headers)
        head = await served.client.head(path)
        assert head.content == b"" and head.headers["Content-Length"] == got.headers["Content-Length"]


@pytest.mark.parametrize(
    ("accept", "encoding"),
    [
        ("gzip, deflate, br, zstd", "br"),
        ("gzip, deflate", "gzip"),
        ("br;q=0.5, gzip", "gzip"),
        ("br;q=0, *", "gzip"),
        ("*", "br"),
        ("*;q=0", ""),
        ("identity, br;q=0.5", ""),
        ("zstd", ""),
        ("", ""),
    ],
)
async def test_the_encoding_is_the_one_that_is_wanted(tmp_path: Path, accept: str, encoding: str) -> None:
    async with serving(tmp_path) as served:
        sent, body = await raw(served, "/v1.js", accept)
        assert sent == encoding
        assert {"br": brotli.decompress, "gzip": gzip.decompress, "": bytes}[encoding](body) == SCRIPT
        assert encoding == "" or len(body) < len(SCRIPT)


async def test_what_a_cache_has_is_not_sent_again(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        etags = set()
        for accept in ("br", "gzip", "identity"):
            first = await served.client.get("/v1.js", headers={"Accept-Encoding": accept})
            etags.add(first.headers["ETag"])
            known = {"Accept-Encoding": accept, "If-None-Match": f'"other", {first.headers["ETag"]}'}
            again = await served.client.get("/v1.js", headers=known)
            assert (again.status_code, again.content) == (304, b"")
            kept = ("ETag", "Cache-Control", "Vary", "Access-Control-Allow-Origin")
            assert all(again.headers[name] == first.headers[name] for name in kept)
            assert (await served.client.get("/v1.js", headers={"If-None-Match": '"other"'})).status_code == 200
        assert len(etags) == 3, "an ETag is that of one sequence of bytes"


async def test_the_address_of_a_former_version_leads_to_the_present_one(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        gone = await served.client.get("/widget/0123456789abcdef/v1.js")
        assert gone.status_code == 302 and gone.headers["Location"] == "/v1.js"


async def test_texts_in_other_languages(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        german = await served.client.get("/widget/locales/de.json", headers={"Origin": "https://shop.example"})
        assert german.json()["send"] == "Senden" and german.headers["Access-Control-Allow-Origin"] == "*"
        assert german.headers["Content-Type"] == "application/json"
        for name in ("xx", "..", "%2e%2e%2fpackage", "DE"):
            assert (await served.client.get(f"/widget/locales/{name}.json")).status_code == 404, name


async def test_the_product_page_s_widget_has_starter_questions(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        key = {"X-FlowChat-Key": homepage.homepage_key(served.app)}
        told = (await served.client.get("/v1/widget", headers=key)).json()
        assert told["starter_questions"] == list(homepage.EXAMPLES[:3])
        page = (await served.client.get("/product/widget")).text
        assert f'data-key="{key["X-FlowChat-Key"]}" data-source="docs"' in page and PINNED in page
