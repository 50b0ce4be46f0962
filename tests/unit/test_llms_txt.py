"""llms.txt: the links of a Markdown file."""

import pytest

from flowchat.net.llms_txt import MAX_LINKS, parse_llms_txt

BASE = "https://x.test/llms.txt"

EXAMPLE = """# FastHTML

> FastHTML is a python library which brings together Starlette, Uvicorn, HTMX, and fastcore's `FT`.

Things to remember, [see (there)](notes.md#part).

## Docs

- [Quick start](https://x.test/docs/quickstart.html.md): A brief overview
- [Reference [HTMX]](/docs/reference "The reference"): All attributes
- [Quick start again](https://x.test/docs/quickstart.html.md#part)
- [![Build](/badge.svg)](https://ci.test/build) ![picture](/picture.png)
- [Spaces](<docs/a b.md>) and [parentheses](https://w.test/wiki/A_(b))
- [Mail](mailto:a@x.test) [empty]() [ref][1]

## Optional

- [More](//y.test/more)
"""


def test_links_in_their_order() -> None:
    assert parse_llms_txt(EXAMPLE, BASE) == (
        "https://x.test/notes.md",
        "https://x.test/docs/quickstart.html.md",
        "https://x.test/docs/reference",
        "https://ci.test/build",
        "https://x.test/docs/a%20b.md",
        "https://w.test/wiki/A_(b)",
        "https://y.test/more",
    )


@pytest.mark.parametrize(
    "text",
    ["", "[", "](", "]()", "[a](", "[a](<", "![a](/a)", "\ud800](\ud800", "](" + "(" * 100_000, "![" * 100_000],
)
def test_nothing_to_be_had(text: str) -> None:
    assert parse_llms_txt(text, BASE) == ()


def test_number_of_links_is_capped() -> None:
    assert len(parse_llms_txt("".join(f"[a](/{n})\n" for n in range(MAX_LINKS + 10)), BASE)) == MAX_LINKS
