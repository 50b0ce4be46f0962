"""No library that FlowChat loads may give this machine an id, or tell anybody about it."""

import os
import subprocess
import sys
from pathlib import Path

LOADED = """
from flowchat.engines.registry import find_model, require
from flowchat.engines.verifier import OnnxVerifier
from flowchat.settings import Settings

verifier = OnnxVerifier(require(find_model(Settings().verifier), Settings().models_path), 1)
assert verifier.entailment([("We open at nine.", "We open at nine.")])
"""


def test_loading_and_running_a_model_leaves_nothing_behind(tmp_path: Path) -> None:
    # ONNX Runtime is silent by itself where a build server's variables are set.
    environ = {name: value for name, value in os.environ.items() if name in ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH")}
    environ |= {"HOME": str(tmp_path), "TMPDIR": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / ".cache")}
    subprocess.run([sys.executable, "-c", LOADED], env=environ, cwd=tmp_path, check=True)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
