"""A folder of files as a website on loopback, served by a process of its own."""

import multiprocessing
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from pathlib import Path


class _Handler(SimpleHTTPRequestHandler):
    """Files with ETags; only what has changed is sent again. Folders are not listed."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # headers and body in one packet: the second one would wait for the first to be acknowledged

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        if path.is_dir() and not self.path.partition("?")[0].endswith("/"):
            self._answer(301, b"", location=self.path + "/")
            return
        path = path / "index.html" if path.is_dir() else path
        if not path.is_file():
            self._answer(404, b"not found")
            return
        body = path.read_bytes()
        etag = f'"{zlib.crc32(body):08x}"'
        if self.headers.get("if-none-match") == etag:
            self._answer(304, b"", etag=etag)
        else:
            self._answer(200, body, etag=etag, content_type=self.guess_type(path))

    def _answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


def _serve(folder: str, told: Connection) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, directory=folder))
    server.daemon_threads = True
    told.send(server.server_address[1])
    server.serve_forever()


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """The site's address, without a slash at the end."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(str(folder), theirs), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{ours.recv()}"
    finally:
        process.kill()
        process.join()
