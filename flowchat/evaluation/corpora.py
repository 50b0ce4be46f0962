"""The files of test data."""

from pathlib import Path

from flowchat.errors import FlowChatError


def read_corpus(data: Path, name: str) -> bytes:
    """A file of the folder of test data. Raises `no_test_data` where it is missing."""
    path = data / name
    if not path.is_file():
        raise FlowChatError("no_test_data", f"No {path}: --data or FLOWCHAT_TEST_DATA names the folder of test data.")
    return path.read_bytes()
