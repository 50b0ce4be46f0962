"""static/v1.js, the widget: is what its sources build to, and is small."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from flowchat.evaluation.widget_size import BUILT, GOAL_BYTES, MAX_BYTES, gzipped

ROOT = Path(__file__).resolve().parents[2]


def check(root: Path, path: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(root / "scripts/build_widget"), "--check"]
    return subprocess.run(command, env={**os.environ, "PATH": path}, capture_output=True, text=True)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what the widget is built of."""
    shutil.copytree(ROOT / "widget", tmp_path / "widget")
    shutil.copytree(ROOT / "static", tmp_path / "static")
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts/build_widget", tmp_path / "scripts")
    return tmp_path


def test_the_committed_file_tells_the_hash_of_its_sources() -> None:
    run = check(ROOT, path="")
    assert run.returncode == 0, run.stderr


def test_the_committed_file_is_what_its_sources_build_to() -> None:
    if not shutil.which("esbuild"):
        pytest.skip("no esbuild on PATH: apt-get install esbuild")
    run = check(ROOT, os.environ["PATH"])
    assert run.returncode == 0, run.stderr
    assert "is what its sources build to" in run.stdout


@pytest.mark.parametrize("name", ["widget/flowchat-widget.js", "widget/style.css", "static/sse.js"])
def test_a_source_that_has_changed_is_found(checkout: Path, name: str) -> None:
    source = checkout / name
    source.write_bytes(source.read_bytes().replace(b"\n", b"\r\n"))  # as some checkouts have it
    assert check(checkout, path="").returncode == 0
    source.write_bytes(source.read_bytes() + b"\n")
    stale = check(checkout, path="")
    assert stale.returncode == 1 and "Run scripts/build_widget" in stale.stderr


def test_another_esbuild_is_refused(checkout: Path) -> None:
    other = checkout / "esbuild"
    other.write_text("#!/bin/sh\necho 0.99.0\n")
    other.chmod(0o755)
    run = check(checkout, path=str(checkout))
    assert run.returncode == 1 and "esbuild 0.99.0" in run.stderr and "apt-get install esbuild" in run.stderr


def test_it_is_small() -> None:
    size = gzipped(BUILT.read_bytes())
    print(f"/v1.js: {size:,} bytes with gzip; at most {MAX_BYTES:,}, goal {GOAL_BYTES:,}")
    assert size <= MAX_BYTES
