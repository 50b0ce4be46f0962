"""The command line as a user meets it: a process with its output and exit code."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from flowchat.app import holding
from flowchat.store.database import connect

Cli = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    def run(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("FLOWCHAT_")}
        paths = {"FLOWCHAT_DATA_DIR": str(tmp_path / "data"), "FLOWCHAT_MODELS_DIR": str(tmp_path / "models")}
        return subprocess.run(
            [sys.executable, "-m", "flowchat", *arguments],
            env={**clean, **paths, **environ},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def failure(result: subprocess.CompletedProcess[str]) -> str:
    """What a failed command says: one line, no traceback."""
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith("flowchat: ") and result.stderr.count("\n") == 1
    return result.stderr


def test_keys(cli: Cli, tmp_path: Path) -> None:
    made = cli("keys", "create", "--type", "widget", "--origin", "*", "--source", "docs", "--name", "shop", "--json")
    key = json.loads(made.stdout)
    assert key["key"].startswith("kbk_live_") and key["id"].startswith("key_")
    assert (key["origins"], key["sources"], key["name"]) == (["*"], ["docs"], "shop")
    admin = cli("keys", "create", "--type", "admin")
    assert admin.stdout.startswith("fca_") and "can't be shown again" in admin.stderr
    assert cli("keys", "revoke", key["id"]).stdout == f"{key['id']} is revoked.\n"
    listed = cli("keys", "list")
    assert "revoked  shop" in listed.stdout and key["key"] not in listed.stdout
    assert [entry["type"] for entry in json.loads(cli("keys", "list", "--json").stdout)] == ["widget", "admin"]
    assert key["id"] in (tmp_path / "data" / "revoked.log").read_text()
    assert (tmp_path / "data" / "flowchat.db").exists()
    assert [file.name for file in (tmp_path / "data").iterdir() if file.stat().st_mode & 0o077] == []


def test_a_key_with_everything_is_rotated(cli: Cli) -> None:
    caps = ("--daily-cap", "5", "--monthly-cap", "50", "--expires-at", "2030-01-31T12:00:00+01:00")
    made = json.loads(cli("keys", "create", "--type", "widget", "--mode", "annotate", *caps, "--json").stdout)
    fresh = json.loads(cli("keys", "rotate", made["id"], "--grace", "60", "--json").stdout)
    assert (made["caps"], made["expires_at"]) == ({"daily": 5, "monthly": 50}, "2030-01-31T11:00:00.000Z")
    own = ("id", "key", "last_four", "created_at")
    assert {name: fresh[name] for name in fresh if name not in own} == {
        name: made[name] for name in made if name not in own
    }
    old, _ = json.loads(cli("keys", "list", "--json").stdout)
    assert old["expires_at"] < made["expires_at"] and old["revoked_at"] is None
    reader = json.loads(cli("keys", "create", "--type", "admin", "--scope", "read", "--json").stdout)
    assert reader["scopes"] == ["read"]


def test_errors_are_one_readable_line(cli: Cli, tmp_path: Path) -> None:
    assert "origins must be an origin" in failure(cli("keys", "create", "--type", "widget", "--origin", "localhost"))
    assert "origins" in failure(cli("keys", "create", "--type", "admin", "--origin", "*"))
    assert "at least 0" in failure(cli("keys", "create", "--type", "widget", "--daily-cap", "-1"))
    assert "key_none" in failure(cli("keys", "revoke", "key_none"))
    assert "nobody" in failure(cli("keys", "list", "--tenant", "nobody"))
    assert "bge" in failure(cli("models", "pull", "gpt-17"))
    assert "FLOWCHAT_PORT" in failure(cli("settings", FLOWCHAT_PORT="many"))
    assert cli("keys", "create", "--type", "master").returncode == 2  # click's own: wrong usage
    with holding(tmp_path / "data", "http://127.0.0.1:1"):
        in_use = failure(cli("serve", "--port", "0"))
    assert "in use" in in_use and str(os.getpid()) in in_use


def test_crawl_says_what_is_wrong(cli: Cli, tmp_path: Path) -> None:
    assert "can't be crawled" in failure(cli("crawl", "ftp://shop.example"))
    assert "slug must be" in failure(cli("crawl", "https://shop.example", "--slug", "No Slug"))
    assert "at most 200 characters" in failure(cli("crawl", "https://shop.example", "--name", "x" * 201))
    assert cli("crawl", "https://shop.example", "--max-pages", "0").returncode == 2  # click's own: wrong usage
    assert not (tmp_path / "data").exists()


def test_settings(cli: Cli) -> None:
    shown = cli("settings", FLOWCHAT_PORT="9999", FLOWCHAT_GENERATOR_API_KEY="very-secret")
    assert "FLOWCHAT_PORT" in shown.stdout and "9999" in shown.stdout and "very-secret" not in shown.stdout
    rows = {row["variable"]: row for row in json.loads(cli("settings", "--json", FLOWCHAT_PORT="9999").stdout)}
    assert (rows["FLOWCHAT_PORT"]["value"], rows["FLOWCHAT_PORT"]["default"]) == ("9999", "8080")


def test_keys_beside_a_command_that_holds_the_folder(cli: Cli, tmp_path: Path) -> None:
    with holding(tmp_path / "data"):
        assert "in use" in failure(cli("keys", "list"))  # and it has not made a database yet
    assert cli("check").returncode == 0
    with holding(tmp_path / "data"):
        assert cli("keys", "list").returncode == 0
        assert cli("check").returncode == 0


def test_the_command_does_not_load_the_model_libraries() -> None:
    code = "import flowchat.__main__, sys; print([m for m in ('fastembed', 'onnxruntime') if m in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout == "[]\n"


def test_check(cli: Cli, tmp_path: Path) -> None:
    assert cli("check").stdout == "All is well.\n"
    with closing(connect(tmp_path / "data" / "flowchat.db")) as connection:
        connection.execute("insert into chunks_fts (rowid, text) values (1, 'lost')")
    found = cli("check")
    assert (found.returncode, found.stdout) == (1, "1 words without chunk\n")
    (tmp_path / "models" / "bge-small-en-v1_5-int8").mkdir(parents=True)
    assert "bge-small-en-v1_5-int8 is incomplete" in cli("check").stdout


def test_models_list(cli: Cli) -> None:
    rows = json.loads(cli("models", "list", "--json").stdout)
    roles = {row["role"] for row in rows if row["used"]}
    assert roles == {"embedder", "reranker", "verifier", "generator"}
    bundled = [row["name"] for row in rows if row["installed"]]
    assert bundled == ["flowchat-verifier-2"]
    assert cli("models", "verify", *bundled).stdout == f"{bundled[0]}: ok\n"
    missing = cli("models", "verify")
    assert missing.returncode == 1 and "models pull" in missing.stderr
