"""A disk as a power failure may leave it: what was synced is there, of the rest some, in any order, or half of it."""

import random
from dataclasses import dataclass, field
from pathlib import Path

from flowchat.evaluation.faults.writing import Deed

SECTORS = (512, 4096)  # bytes that are written whole or not at all
SHARED = "-shm"  # is written through memory, and made anew by whoever comes first


@dataclass(slots=True)
class _File:
    synced: bytearray = field(default_factory=bytearray)
    open: list[Deed] = field(default_factory=list)  # not synced
    size: int = 0


@dataclass(slots=True)
class Platter:
    """`names` are as the processes see them, `synced` as the disk surely has them."""

    names: dict[str, _File] = field(default_factory=dict)
    synced: dict[str, _File] = field(default_factory=dict)
    moves: list[tuple[str, str, _File]] = field(default_factory=list)  # (old name or '', new one or '', file)

    @classmethod
    def of(cls, folder: Path) -> "Platter":
        """A folder that is wholly on the disk."""
        made = cls()
        for path in folder.iterdir() if folder.is_dir() else ():
            if path.is_file():
                content = path.read_bytes()
                made.names[path.name] = _File(bytearray(content), [], len(content))
        made.synced = dict(made.names)
        return made

    def apply(self, deed: Deed) -> None:
        match deed.call:
            case "openat":
                if deed.path not in self.names:
                    self._move("", deed.path, _File())
            case "link":
                self._move("", deed.other, self.names[deed.path])
            case "rename":
                self._move(deed.path, deed.other, self.names[deed.path])
            case "unlink":
                self._move(deed.path, "", self.names[deed.path])
            case "fsync" | "fdatasync":
                self._sync(deed.path)
            case _:
                self._write(deed)

    def _move(self, old: str, new: str, file: _File) -> None:
        self.names.pop(old, None)
        if new:
            self.names[new] = file
        self.moves.append((old, new, file))

    def _sync(self, name: str) -> None:
        if not name:
            self.synced = dict(self.names)
            self.moves.clear()
        elif (file := self.names.get(name)) is not None:
            for deed in file.open:
                _put(file.synced, deed)
            file.open.clear()

    def _write(self, deed: Deed) -> None:
        file = self.names.get(deed.path)
        if file is None:
            return
        if deed.call == "write":  # at its end: nobody writes so but to logs and new files
            deed = Deed(deed.at, "pwrite64", deed.path, deed.data, file.size)
        file.size = deed.offset if deed.call == "ftruncate" else max(file.size, deed.offset + len(deed.data))
        file.open.append(deed)

    def leave(self, folder: Path, chance: random.Random) -> None:
        """What is found after the failure."""
        names = dict(self.synced)
        for old, new, file in self.moves:
            if chance.random() < 0.5:
                names.pop(old, None)
                if new:
                    names[new] = file
        folder.mkdir()
        for name, file in names.items():
            content = bytearray(file.synced)
            for deed in file.open:
                _tear(content, deed, chance)
            garbage = chance.randbytes(len(content)) if name.endswith(SHARED) else content
            (folder / name).write_bytes(garbage)


def _put(content: bytearray, deed: Deed) -> None:
    if deed.call == "ftruncate":
        del content[deed.offset :]
        content.extend(bytes(deed.offset - len(content)))
        return
    content.extend(bytes(max(0, deed.offset - len(content))))
    content[deed.offset : deed.offset + len(deed.data)] = deed.data


def _tear(content: bytearray, deed: Deed, chance: random.Random) -> None:
    """The deed whole, not at all, or some of its sectors."""
    drawn = chance.random()
    if drawn < 0.3:
        return
    if drawn < 0.7 or deed.call == "ftruncate":
        _put(content, deed)
        return
    sector = chance.choice(SECTORS)
    start = 0
    while start < len(deed.data):
        end = min(len(deed.data), start + sector - (deed.offset + start) % sector)
        if chance.random() < 0.5:
            _put(content, Deed(deed.at, deed.call, deed.path, deed.data[start:end], deed.offset + start))
        start = end
