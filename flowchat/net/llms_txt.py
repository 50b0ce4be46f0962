"""llms.txt: the pages that a site recommends to language models, as a Markdown file (llmstxt.org)."""

import re
from itertools import islice

from flowchat.net.urls import normalise

MAX_CHARS = 1_000_000
MAX_LINKS = 5_000
# What stands behind [name]( up to a title or the end: in angle brackets, or with balanced parentheses.
_ADDRESS = re.compile(r"\]\([ \t]*+(?:<([^<>\n]*+)>|((?:[^\s()<>]++|\([^\s()<>]*+\))++))")
_IMAGE = re.compile(r"!\[[^\[\]\n]*+\]\([^()\n]*+\)")


def parse_llms_txt(text: str, base: str) -> tuple[str, ...]:
    """The pages that an llms.txt links to, normalised, without duplicates, in its order. Never raises.

    `base` is its own address. Reads 1,000,000 characters and stops at 5,000 links.
    """
    found = _ADDRESS.finditer(_IMAGE.sub("", text[:MAX_CHARS]))
    pages = dict.fromkeys(normalise(link[1] or link[2] or "", base) for link in islice(found, MAX_LINKS))
    return tuple(page for page in pages if page)
