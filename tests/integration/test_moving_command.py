"""`flowchat tenants`: a tenant moves between two data folders, beside a running server, too."""

import os
import subprocess
import sys
from pathlib import Path

from two_machines import PASSPHRASE, QUESTIONS, shown, two_machines


def flowchat(data_dir: Path, *arguments: str, stdin: str = PASSPHRASE) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("FLOWCHAT_")}
    environ = {**clean, "FLOWCHAT_DATA_DIR": str(data_dir), "FLOWCHAT_EMBEDDER": "fake-embedder"}
    command = [sys.executable, "-m", "flowchat", "tenants", *arguments]
    return subprocess.run(command, env=environ, input=stdin, capture_output=True, text=True, check=False)


async def test_a_tenant_moves_by_the_command_line(tmp_path: Path) -> None:
    file, ask = str(tmp_path / "red.zip"), ("--passphrase-file", "-")
    async with two_machines(tmp_path) as them:
        before = await them.ask(them.old, QUESTIONS[1])
        exported = flowchat(tmp_path / "old", "export", "red", file, *ask)
        assert exported.returncode == 0, exported.stderr
        assert "read-only from now on" in exported.stdout and "passages" in exported.stdout
        assert "moved" in flowchat(tmp_path / "old", "list").stdout
        again = flowchat(tmp_path / "old", "export", "red", file, *ask)
        assert again.returncode == 1 and f"There is a file {file} already" in again.stderr
        wrong = flowchat(tmp_path / "new", "import", file, *ask, stdin="not the passphrase")
        assert wrong.returncode == 1 and "This is not the passphrase" in wrong.stderr
        imported = flowchat(tmp_path / "new", "import", file, *ask)
        assert imported.returncode == 0, imported.stderr
        assert imported.stdout.startswith("'red' is on this machine: ")
        assert shown(await them.ask(them.new, QUESTIONS[1])) == shown(before), "the server knows it at once"
        twice = flowchat(tmp_path / "new", "import", file, *ask)
        assert twice.returncode == 1 and "on this machine already, as 'red'" in twice.stderr
    assert "goes on here" in flowchat(tmp_path / "old", "resume", "red", "--yes").stdout
    first = flowchat(tmp_path / "old", "export", "default", str(tmp_path / "x.zip"), *ask)
    assert first.returncode == 1 and "the appliance's own" in first.stderr
