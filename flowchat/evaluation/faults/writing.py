"""What a process has written to a folder and what of that it has synced, as strace saw it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CALLS = "openat,write,pwrite64,ftruncate,fsync,fdatasync,link,rename,unlink"
_LINE = re.compile(r"(\d+) +(\d+\.\d+) (.*)")
_RESUMED = re.compile(r"<\.\.\. \w+ resumed>")
_UNFINISHED = "<unfinished ...>"
_CALL = re.compile(r"(\w+)\((.*)\)\s+= (-?\d+)")
_HEX = r"(?:\\x[0-9a-f]{2})*"
_FILE = re.compile(rf"\d+<({_HEX})>")
_QUOTED = re.compile(rf'"({_HEX})"')


@dataclass(frozen=True, slots=True)
class Deed:
    """One call that has succeeded. `at` is when it began (s, as `time.time`).

    `path` and `other` are names in the folder, '' for the folder itself. `offset` is a size for `ftruncate`.
    """

    at: float
    call: str
    path: str
    data: bytes = b""
    offset: int = 0
    other: str = ""


def command(log: Path) -> list[str]:
    """Runs a program, and writes down what it does."""
    how = ("-D", "-f", "-qq", "--seccomp-bpf", "-y", "-xx", "-ttt", "-s", "70000")
    return ["strace", *how, "-o", str(log), "-e", f"trace={CALLS}"]


def read(log: Path, folder: Path) -> Iterator[Deed]:
    """In the order in which the calls returned."""
    begun: dict[str, tuple[float, str]] = {}
    with log.open(encoding="latin-1") as lines:
        for line in lines:
            match = _LINE.match(line)
            if match is None:
                continue
            thread, at, text = match[1], float(match[2]), match[3]
            if text.endswith(_UNFINISHED):
                begun[thread] = (at, text.removesuffix(_UNFINISHED))
                continue
            if resumed := _RESUMED.match(text):
                at, start = begun.pop(thread, (at, ""))
                text = start + text[resumed.end() :]
            deed = _deed(at, text, str(folder))
            if deed is not None:
                yield deed


def _deed(at: float, text: str, folder: str) -> Deed | None:
    """None for what has failed, or concerns another folder."""
    match = _CALL.match(text)
    if match is None or match[3].startswith("-"):
        return None
    call, arguments, returned = match[1], match[2], int(match[3])
    quoted = [_bytes(part) for part in _QUOTED.findall(arguments)]
    if call == "openat":
        name = _inside(quoted[0].decode(), folder)
        return Deed(at, call, name) if name and "O_CREAT" in arguments else None
    if call in ("link", "rename", "unlink"):
        old, new = (_inside(part.decode(), folder) for part in (quoted[0], quoted[-1]))
        return Deed(at, call, old, other=new or "") if old else None
    opened = _FILE.match(arguments)
    name = _inside(_bytes(opened[1]).decode(), folder) if opened else None
    if name is None:
        return None
    last = arguments.rpartition(",")[2]
    match call:
        case "pwrite64":
            return Deed(at, call, name, quoted[0][:returned], int(last))
        case "write":
            return Deed(at, call, name, quoted[0][:returned])
        case "ftruncate":
            return Deed(at, call, name, offset=int(last))
        case _:
            return Deed(at, call, name)


def _bytes(hexadecimal: str) -> bytes:
    """Of strace's -xx."""
    return bytes.fromhex(hexadecimal.replace("\\x", ""))


def _inside(path: str, folder: str) -> str | None:
    """The name of a file in the folder."""
    if path == folder:
        return ""
    name = path.removeprefix(folder + "/")
    return name if name != path and "/" not in name else None
