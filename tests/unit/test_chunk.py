"""Chunks: bounded, and nothing is lost."""

import re

import pytest

from flowchat.domain import Block
from flowchat.ingest.chunk import MAX_TOKENS, chunk_blocks

_TOKEN = re.compile(r"\w+|[^\w\s]")
WORDS = " ".join(f"word{n}" for n in range(500))


def count_tokens(texts: list[str]) -> list[int]:
    """As the embedder counts: a mark is a token, a word one or several, and one of more than 100 characters one."""
    words = [_TOKEN.findall(text) for text in texts]
    return [sum(1 if len(word) > 100 else 1 + len(word) // 12 for word in of_text) for of_text in words]


def chunked(*blocks: Block) -> list[str]:
    texts = [chunk.text for chunk in chunk_blocks(blocks, count_tokens)]  # type: ignore[arg-type]
    assert all(tokens <= MAX_TOKENS for tokens in count_tokens(texts))
    return texts


def test_short_blocks_share_a_chunk() -> None:
    blocks = [Block("text", "One. Two."), Block("code", "a\n  b"), Block("code", "c"), Block("list", "- x\n- y")]
    assert chunked(*blocks) == ["One. Two.\n\n```\na\n  b\n```\n\n```\nc\n```\n\n- x\n- y"]
    assert chunked(Block("text", "One.", ("A",)), Block("text", "Two.", ("B",))) == ["One.", "Two."]
    assert chunked() == []


@pytest.mark.parametrize("kind", ["text", "list", "table", "code"])
def test_one_endless_piece_is_cut_between_words(kind: str) -> None:
    texts = chunked(Block(kind, WORDS))  # type: ignore[arg-type]
    assert len(texts) < 8
    assert " ".join(texts).replace("```", "").split() == WORDS.split()


def test_a_word_without_end_is_cut() -> None:
    texts = chunked(Block("text", "x" * 20_000))
    assert "".join(texts).replace(" ", "") == "x" * 20_000
    assert len(texts) > 5


def test_a_long_listing_has_its_fences_in_every_chunk() -> None:
    lines = [f"    call_{n}(first, second)" for n in range(200)]
    lines[7] = ""
    texts = chunked(Block("code", "\n".join(lines)))
    assert len(texts) > 5
    assert all(text.startswith("```\n") and text.endswith("\n```") and text.count("```") == 2 for text in texts)
    assert "\n".join(text[4:-4] for text in texts) == "\n".join(lines)


def test_empty_lines_make_no_chunk() -> None:
    assert len(chunked(Block("code", "a" + "\n" * 10_000 + "b"))) == 2


def test_a_long_table_loses_no_row() -> None:
    table = "\n".join(f"| {n} | some words |" for n in range(300))
    assert "\n".join(chunked(Block("table", table))) == table


def test_every_chunk_of_a_table_has_its_head() -> None:
    head = "| Plan | Price |\n| --- | --- |"
    rows = [f"| Plan number {n} | {n} euros a month |" for n in range(60)]
    texts = chunked(Block("text", "Our plans:"), Block("table", "\n".join((head, *rows))))
    assert len(texts) > 3 and all(text.removeprefix("Our plans:\n\n").startswith(f"{head}\n| Plan") for text in texts)
    assert [row for text in texts for row in text.split("\n") if row.startswith("| Plan number")] == rows


def test_a_head_goes_with_its_first_row_and_not_with_what_leaves_it_no_room() -> None:
    head = "| Plan | Price |\n| --- | --- |"
    before = " ".join(["word"] * 145)
    assert chunked(Block("text", before), Block("table", f"{head}\n| Basic | 5 |\n| Pro | 9 |\n| Max | 20 |")) == [
        before,
        f"{head}\n| Basic | 5 |\n| Pro | 9 |\n| Max | 20 |",
    ]
    long = f"| {' '.join(['word'] * 147)} | 5 |"
    assert chunked(Block("table", f"{head}\n{long}\n| Pro | 9 |"))[1].startswith("| word")
    wide = "| " + " | ".join(f"Column {n}" for n in range(30)) + " |\n|" + " --- |" * 30
    assert all("Column 3" not in text for text in chunked(Block("table", f"{wide}\n" + "| a b |\n" * 60))[2:])


def test_a_short_end_takes_sentences_of_the_chunk_before() -> None:
    sentences = [f"This is the sentence number {n} of several." for n in range(18)]
    texts = chunked(Block("text", " ".join(sentences)))
    assert len(texts) == 2 and count_tokens(texts)[1] >= 24
    assert " ".join(texts) == " ".join(sentences)


def test_a_list_item_of_several_lines_is_not_parted_from_its_first() -> None:
    items = [f"{n}. The limit number {n}\n  " + "It is as large as it has to be here. " * 7 for n in range(1, 5)]
    texts = chunked(Block("list", "\n".join(item.rstrip() for item in items)))
    assert [text.split("\n")[0] for text in texts] == [f"{n}. The limit number {n}" for n in range(1, 5)]
