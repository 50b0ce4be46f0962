"""The check that measures the widget beside other chats."""

import io
import tarfile
from pathlib import Path

import pytest

from flowchat.evaluation import widget_size

FILES = {
    "package.json": b'{"version": "1.2.3"}',
    "dist/chat.js": b'import{a}from"./parts/a.mjs";import "./b.mjs";import("./later.mjs");',
    "dist/parts/a.mjs": b'export * from "../b.mjs"',
    "dist/b.mjs": b"",
    "dist/later.mjs": b"",
    "dist/style.css": b'@import "./b.mjs";',
}


def test_what_is_imported_at_once_counts(tmp_path: Path) -> None:
    package = tmp_path / "chat.tgz"
    with tarfile.open(package, "w:gz") as archive:
        for path, content in FILES.items():
            member = tarfile.TarInfo(f"package/{path}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    version, loaded = widget_size.read_package(package, ("dist/chat.js", "dist/style.css"))
    assert version == "1.2.3"
    assert set(loaded) == {"dist/chat.js", "dist/parts/a.mjs", "dist/b.mjs", "dist/style.css"}


def test_without_npm_ours_alone_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    report = widget_size.run()
    assert report.ok and len(report.measures) == 1 and len(report.notes) == len(widget_size.RIVALS)
