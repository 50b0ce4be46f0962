"""A short run of schemathesis, the same every time. `scripts/fuzz` is the long one."""

from pathlib import Path

import pytest
from fuzz import fuzz

SEED = 20261123


@pytest.mark.slow
async def test_requests_made_from_the_description(tmp_path: Path) -> None:
    outcome = await fuzz(
        tmp_path, ["--phases=examples,fuzzing,stateful", "--max-examples=3", f"--seed={SEED}", "--no-shrink"]
    )
    assert outcome.exit_status == 0, outcome.output
