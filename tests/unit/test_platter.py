"""What a power failure leaves, and what strace's notes of a process are read as."""

import random
from pathlib import Path

from flowchat.evaluation.faults.platter import Platter
from flowchat.evaluation.faults.writing import Deed, read

LOST, KEPT = "lost", "kept"


def left_by(tmp_path: Path, *deeds: Deed, seeds: int = 40) -> set[tuple[tuple[str, bytes], ...]]:
    """Every state that some failure right after these deeds has left."""
    found = set()
    for seed in range(seeds):
        platter = Platter()
        for deed in deeds:
            platter.apply(deed)
        folder = tmp_path / str(seed)
        platter.leave(folder, random.Random(seed))
        found.add(tuple(sorted((path.name, path.read_bytes()) for path in folder.iterdir())))
    return found


def test_what_is_synced_with_its_name_is_there(tmp_path: Path) -> None:
    made = (Deed(0, "openat", "a"), Deed(0, "write", "a", b"x" * 600), Deed(0, "fsync", "a"), Deed(0, "fsync", ""))
    assert left_by(tmp_path, *made) == {(("a", b"x" * 600),)}


def test_a_new_name_may_be_lost_although_its_file_is_synced(tmp_path: Path) -> None:
    made = (Deed(0, "openat", "a"), Deed(0, "write", "a", b"x"), Deed(0, "fsync", "a"))
    assert left_by(tmp_path, *made) == {(), (("a", b"x"),)}


def test_what_is_not_synced_is_there_or_not_or_torn(tmp_path: Path) -> None:
    made = (Deed(0, "openat", "a"), Deed(0, "fsync", ""), Deed(0, "pwrite64", "a", b"x" * 1024))
    contents = {dict(state)["a"] for state in left_by(tmp_path, *made)}
    assert contents == {b"", b"x" * 1024, b"x" * 512, bytes(512) + b"x" * 512}


def test_a_renamed_file_has_its_old_name_or_its_new_one(tmp_path: Path) -> None:
    made = (Deed(0, "openat", "a"), Deed(0, "fsync", ""), Deed(0, "rename", "a", other="b"))
    assert left_by(tmp_path, *made) == {(("a", b""),), (("b", b""),)}


def test_notes_of_strace(tmp_path: Path) -> None:
    def told(text: str) -> str:
        return "".join(f"\\x{byte:02x}" for byte in text.encode())

    notes = f"""\
7 1.0 openat(AT_FDCWD<{told("/w")}>, "{told("/d/a")}", O_RDWR|O_CREAT, 0600) = 3<{told("/d/a")}>
7 2.0 pwrite64(3<{told("/d/a")}>, "{told("hello")}", 5, 4096 <unfinished ...>
8 2.5 fsync(4<{told("/elsewhere")}>) = 0
7 3.0 <... pwrite64 resumed>) = 5
8 4.0 fsync(3<{told("/d/a")}>) = -1 EIO (Input/output error)
8 5.0 fsync(5<{told("/d")}>) = 0
8 6.0 unlink("{told("/d/a")}") = 0
8 7.0 +++ killed by SIGKILL +++
"""
    log = tmp_path / "log"
    log.write_text(notes)
    assert list(read(log, Path("/d"))) == [
        Deed(1.0, "openat", "a"),
        Deed(2.0, "pwrite64", "a", b"hello", 4096),
        Deed(5.0, "fsync", ""),
        Deed(6.0, "unlink", "a", other="a"),
    ]
