"""Keeps what visitors and web pages write from posing as the chat template's own marks."""

from collections.abc import Sequence


def defused(messages: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    """The same chat turns with `<|` broken up: llama.cpp reads `<|im_end|>` as the end of a turn wherever it stands."""
    return [{**message, "content": message["content"].replace("<|", "< |")} for message in messages]
