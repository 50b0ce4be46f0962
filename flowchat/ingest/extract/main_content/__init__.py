"""Which part of a page is its content: finds the node to read and takes out of it what is none.

Rules over markup, names, texts and sizes, in this order: elements that never hold content; the page's main part, as
its markup has it, else the whole body less header, footer and asides; names such as `sidebar`; neighbours of the text
that are mainly links; sections titled "Related articles"; the texts of controls ("Edit this page"); lists of links
within the page; decorative images. Sizes in the sense of Boilerpipe's text and link density (Kohlschütter et al. 2010)
keep a wrong name from costing the page its text.
"""

from selectolax.lexbor import LexborHTMLParser, LexborNode

from flowchat.ingest.extract.main_content.page import Page
from flowchat.ingest.extract.main_content.root import drop_page_frame, drop_unrendered, inner_root, marked_main
from flowchat.ingest.extract.main_content.rules import (
    drop_boilerplate_names,
    drop_controls,
    drop_decoration,
    drop_link_blocks,
    drop_links_before_title,
    drop_sections_elsewhere,
    drop_tables_of_contents,
)

_MIN_PROSE_CHARS = 500  # of a body, to doubt rules that leave nearly nothing of it
_MIN_KEPT = 0.1  # of the body's prose
_MIN_TEXT_CHARS = 25  # outside links; a page with less, and without a heading, is nothing but navigation
_BULK = ("script", "style", "svg", "select", "nav")
_HEADINGS = frozenset(("h1", "h2", "h3"))
_MARKED = frozenset(("main", "article"))


def main_content(tree: LexborHTMLParser) -> LexborNode | None:
    """The node to read, None where there is nothing. Changes the tree: what is no content is removed from it."""
    if tree.body is None:
        return None
    _remove(tree, _BULK)
    main = marked_main(tree.body)
    page = Page(main or tree.body)
    drop_unrendered(page)
    prose = page.prose(0)
    whole = page.snapshot()
    if main is None:
        drop_page_frame(page)
    root = inner_root(page)
    drop_boilerplate_names(page, root)
    drop_link_blocks(page, root)
    drop_links_before_title(page, root)
    drop_sections_elsewhere(page, root)
    drop_controls(page, root)
    drop_tables_of_contents(page, root)
    if prose >= _MIN_PROSE_CHARS and page.prose(root) < _MIN_KEPT * prose:
        page.restore(whole)
        root = 0
    drop_decoration(page, root)
    is_marked = main is not None or any(page.prose(number) for number in page.tagged(0, _MARKED))
    if not is_marked and page.prose(root) < _MIN_TEXT_CHARS and not page.contains(root, _HEADINGS):
        return None
    return page.prune(root)


def _remove(tree: LexborHTMLParser, tags: tuple[str, ...]) -> None:
    """Take out what makes up most of many pages, before it costs time."""
    for node in tree.css(",".join(tags)):
        node.decompose()
