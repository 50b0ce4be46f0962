"""The bytes of /v1.js, beside other chats from npm: what a page loads before its visitor can ask, with gzip.

For each package that is what its README (deep-chat: its site) tells a page to load, in its newest version, with the
files that those import at once and the style sheet where it is a file of its own. Needs npm and its registry.
"""

import gzip
import json
import posixpath
import re
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

import flowchat
from flowchat.evaluation.report import Measure, Report

MAX_BYTES = 22_528  # contract, section 7
GOAL_BYTES = 15_000
BUILT = Path(flowchat.__file__).resolve().parent.parent / "static/v1.js"
NPM_TIMEOUT_S = 120
_IMPORT = re.compile(r"""\b(?:from|import)\s*["'](\.{1,2}/[^"']+)["']""")  # not import(…), which is for later


@dataclass(frozen=True, slots=True)
class Rival:
    """`files`: paths inside the npm package."""

    name: str
    files: tuple[str, ...]


RIVALS = (
    Rival("deep-chat", ("dist/deepChat.bundle.js",)),
    Rival("docsgpt", ("dist/modern/browser.js",)),  # its README names modern/main.js, which the package lacks
    Rival("flowise-embed", ("dist/web.js",)),
    Rival("@n8n/chat", ("dist/chat.bundle.es.js", "dist/style.css")),
)


def run() -> Report:
    """Where npm is missing or fails, the note says what was not measured."""
    own = gzipped(BUILT.read_bytes())
    measures = [Measure("FlowChat: /v1.js", own, f"at most {MAX_BYTES}, goal {GOAL_BYTES}", own <= MAX_BYTES)]
    notes = []
    for rival in RIVALS:
        with tempfile.TemporaryDirectory() as folder:
            package = _pack(rival.name, Path(folder))
            if package is None:
                notes.append(f"{rival.name} was not measured: `npm pack {rival.name}` did not work here.")
                continue
            version, loaded = read_package(package, rival.files)
        size = sum(map(gzipped, loaded.values()))
        measures.append(Measure(f"{rival.name} {version}", size))
        notes.append(f"{rival.name}: {', '.join(sorted(loaded))}; {size / own:.1f} times FlowChat's")
    return Report("Size of the widget: bytes with gzip (zlib, level 9)", tuple(measures), tuple(notes))


def gzipped(content: bytes) -> int:
    return len(gzip.compress(content, 9, mtime=0))


def _pack(name: str, folder: Path) -> Path | None:
    """The newest version as npm sends it; nothing of it is installed or run."""
    if not shutil.which("npm"):
        return None
    command = ["npm", "pack", name, "--silent", "--pack-destination", str(folder)]
    packed = subprocess.run(command, capture_output=True, timeout=NPM_TIMEOUT_S)
    return next(folder.glob("*.tgz"), None) if packed.returncode == 0 else None


def read_package(package: Path, files: tuple[str, ...]) -> tuple[str, dict[str, bytes]]:
    """Its version, and the contents of its files by their paths, with all that they import at once."""
    with tarfile.open(package) as archive:
        version = str(json.loads(_read(archive, "package.json"))["version"])
        loaded: dict[str, bytes] = {}
        waiting = list(files)
        while waiting:
            path = waiting.pop()
            if path in loaded:
                continue
            loaded[path] = _read(archive, path)
            if not path.endswith(".css"):
                imported = _IMPORT.findall(loaded[path].decode("utf-8"))
                waiting += [posixpath.normpath(posixpath.join(posixpath.dirname(path), name)) for name in imported]
    return version, loaded


def _read(archive: tarfile.TarFile, path: str) -> bytes:
    member = archive.extractfile(f"package/{path}")
    if member is None:
        raise IsADirectoryError(path)
    return member.read()
