"""HTML or Markdown -> the main content as blocks, each with its headings and the nearest anchor.

Limits: needs the content in the HTML itself (pages built by JavaScript come out empty), and finds the main part by
the page's own markup (`<main>`, `<article>`, role, well-known ids), else takes the body less what is named like
navigation.
"""

import re
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from mdit_py_plugins.anchors import anchors_plugin
from selectolax.lexbor import LexborHTMLParser, LexborNode

from flowchat.domain import Block, Document

_MAIN = (
    "main",
    "[role=main]",
    "article",
    "#main-content",
    "#content",
    ".main-content",
    ".document",
    ".markdown-body",
    ".post-content",
    ".entry-content",
)
_DROP_TAGS = (
    "script,style,noscript,template,iframe,svg,canvas,form,button,select,textarea,input,dialog,nav,"
    "[role=navigation],[role=search],[role=banner],[role=contentinfo],[role=dialog],[hidden],[aria-hidden=true]"
)
_DROP_OUTSIDE_MAIN = "header,footer,aside,[role=complementary]"
_DROP_NAMES = re.compile(
    r"(?:^|[\s_-])(?:nav|navbar|navigation|navheader|navfooter|menu|mainmenu|submenu|searchmenu|breadcrumbs?|sidebar|"
    r"footer|cookies?|consent|toc|contents-list|pagination|pager|skip-?link|social|share|newsletter|nosearch|"
    r"headerlink|related)(?:$|[\s_-])",
    re.IGNORECASE,
)
_HEADINGS = {"h1": 1, "h2": 2, "h3": 3, "h4": 4, "h5": 5, "h6": 6}
_PSEUDO_LEVEL = 7  # a paragraph that is nothing but short bold text heads what follows it
_PSEUDO_MAX_CHARS = 80
_BLOCK_TAGS = frozenset(
    "address article aside blockquote body center dd details div dl dt fieldset figcaption figure footer "
    "h1 h2 h3 h4 h5 h6 header hr li main ol p pre section summary table tbody td tfoot th thead tr ul".split()
)
_MAX_HEADING_CHARS = 200  # of a title too: both stand before every chunk, and longer ones are no headings
_MAX_DEPTH = 150  # deeper nesting is flattened to text: no page needs it, and hostile ones exhaust the stack
_FOOTNOTE = re.compile(r"\[\w{1,4}\]")  # a mark such as [1], which would read as one of ours
_SPACE = re.compile(r"\s+")
_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table").use(anchors_plugin, max_level=6)


def extract_html(html: str) -> Document:
    """The main content of a page, with its links. Never raises on malformed HTML."""
    tree = LexborHTMLParser(html)
    links = tuple(a.attributes.get("href") or "" for a in tree.css("a[href]"))
    robots = " ".join((m.attributes.get("content") or "").lower() for m in tree.css("meta[name=robots]"))
    canonical = tree.css_first("link[rel=canonical]")
    root = tree.css_first("html")
    title = tree.css_first("title")
    body = _main_content(tree)
    walker = _Walker()
    if body is not None:
        walker.walk(body, 0)
        walker.flush()
    return Document(
        title=_clean(title.text())[:_MAX_HEADING_CHARS] if title else walker.first_heading,
        language=((root.attributes.get("lang") or "") if root else "").lower(),
        blocks=tuple(walker.blocks),
        links=links,
        noindex="noindex" in robots,
        nofollow="nofollow" in robots,
        canonical=canonical.attributes.get("href") if canonical else None,
    )


def extract_markdown(text: str) -> Document:
    """A Markdown document; its title is the first heading."""
    document = extract_html(f"<main>{render_markdown(text)}</main>")
    title = next((block.headings[0] for block in document.blocks if block.headings), "")
    return Document(title=title, language="", blocks=document.blocks, links=())


def render_markdown(text: str) -> str:
    """HTML of a Markdown document (CommonMark and tables, raw HTML escaped), its headings with anchors."""
    return str(_MARKDOWN.render(text))


def _main_content(tree: LexborHTMLParser) -> LexborNode | None:
    for node in tree.css(_DROP_TAGS):
        node.decompose()
    body = tree.body
    if body is None:
        return None
    for selector in _MAIN:
        found = tree.css(selector)
        # Several articles are teasers or comments of one page: then their common parent is the content.
        if len(found) == 1 and len(found[0].text(strip=True)) > 200:
            root = found[0]
            break
    else:
        root = body
        for node in tree.css(_DROP_OUTSIDE_MAIN):
            if node.tag != "header" or node.css_first("h1") is None:
                node.decompose()
    for node in root.css("[class],[id]"):
        names = f"{node.attributes.get('class') or ''} {node.attributes.get('id') or ''}"
        if _DROP_NAMES.search(names) and node.tag not in ("body", "main", "article", *_HEADINGS):
            node.decompose()
    return root


class _Walker:
    """Reads the tree in order: inline text gathers in a buffer, a block element's edge flushes it into a block."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self.first_heading = ""
        self._headings: list[tuple[int, str]] = []
        self._anchor = ""
        self._loose_anchor = ""
        self._text: list[str] = []

    def walk(self, node: LexborNode, depth: int) -> None:
        for child in node.iter(include_text=True):
            tag = child.tag or ""
            if tag == "-text":
                self._text.append(child.text(deep=False) or "")
            elif depth >= _MAX_DEPTH:
                self._text.append(child.text())
            elif tag in _HEADINGS:
                self._heading(child, _HEADINGS[tag])
            elif tag == "sup" and _FOOTNOTE.fullmatch(child.text(strip=True)):
                continue
            elif tag == "br":
                self._text.append("\n")
            elif tag == "img":
                self._text.append(f" {child.attributes.get('alt') or ''} ")
            elif tag in _BLOCK_TAGS:
                self._block(child, tag, depth)
            else:
                self._note_anchor(child)
                self.walk(child, depth + 1)

    def flush(self) -> None:
        """Close the paragraph that has gathered."""
        text = _clean("".join(self._text))
        self._text.clear()
        if text:
            self._add("text", text)

    def _block(self, node: LexborNode, tag: str, depth: int) -> None:
        self.flush()
        self._note_anchor(node)
        if tag == "pre":
            self._add("code", (node.text() or "").strip("\n"))
        elif tag == "table" and not _is_layout(node):
            self._add("table", _table_markdown(node))
        elif tag in ("ul", "ol") and not _has_blocks_in_items(node):
            items = (_clean(item.text()) for item in node.iter() if item.tag == "li")
            self._add("list", "\n".join(f"- {item}" for item in items if item))
        elif tag == "dt":
            term = _clean(node.text())
            if term:
                self._text.append(f"{term}: ")
        elif tag == "p" and _is_bold_only(node):
            self._heading(node, _PSEUDO_LEVEL)
        else:
            if tag == "dd":
                self._reopen_term()
            self.walk(node, depth + 1)
            self.flush()

    def _reopen_term(self) -> None:
        """A definition goes on in the paragraph of its term."""
        if self.blocks and self.blocks[-1].kind == "text" and self.blocks[-1].text.endswith(":"):
            self._text.append(self.blocks.pop().text + " ")

    def _heading(self, node: LexborNode, level: int) -> None:
        self.flush()
        text = _clean(node.text()).rstrip("¶#").strip()[:_MAX_HEADING_CHARS]
        if not text:
            return
        self.first_heading = self.first_heading or text
        while self._headings and self._headings[-1][0] >= level:
            self._headings.pop()
        self._headings.append((level, text))
        self._anchor = _own_anchor(node) or self._loose_anchor or (self._anchor if level == _PSEUDO_LEVEL else "")
        self._loose_anchor = ""

    def _note_anchor(self, node: LexborNode) -> None:
        """Remember `<a name>` or `<section id>` for the heading that follows."""
        ident = node.attributes.get("id") or (node.attributes.get("name") if node.tag == "a" else None)
        if ident and node.tag in ("a", "section", "div", "span", "article"):
            self._loose_anchor = ident

    def _add(self, kind: str, text: str) -> None:
        if text.strip():
            headings = tuple(text for _, text in self._headings)
            self.blocks.append(Block(kind, text, headings, self._anchor))  # type: ignore[arg-type]
            self._loose_anchor = ""


def _own_anchor(node: LexborNode) -> str:
    inner = node.css_first("a[name],a[id],span[id]")
    return (
        node.attributes.get("id")
        or (inner.attributes.get("name") or inner.attributes.get("id") if inner is not None else None)
        or ""
    )


def _is_bold_only(node: LexborNode) -> bool:
    text = _clean(node.text())
    bold = "".join(b.text() for b in node.css("b,strong"))
    return 0 < len(text) <= _PSEUDO_MAX_CHARS and _clean(bold) == text


def _is_layout(table: LexborNode) -> bool:
    """Tables that arrange a page rather than show data: nested ones, and such with whole sections in a cell."""
    if table.css_first("table") is not None and len(table.css("table")) > 1:
        return True
    return table.css_first("td h1,td h2,td h3,td pre,td ul,td p + p") is not None


def _has_blocks_in_items(node: LexborNode) -> bool:
    return node.css_first("li p + p,li pre,li table,li h1,li h2,li h3,li h4,li ul,li ol,li dl") is not None


def _table_markdown(table: LexborNode) -> str:
    rows = [[_cell(cell) for cell in row.css("th,td")] for row in table.css("tr")]
    rows = [row for row in rows if any(row)]
    if not rows:
        return ""
    width = max(len(row) for row in rows)
    if width == 1:
        return "\n".join(row[0] for row in rows)
    lines = ["| " + " | ".join(row + [""] * (width - len(row))) + " |" for row in rows]
    return "\n".join([lines[0], "|" + " --- |" * width, *lines[1:]])


def _cell(cell: LexborNode) -> str:
    return _clean(cell.text(separator=" ") if cell.css_first("br,p,div,li") else cell.text()).replace("|", "\\|")


def _clean(text: str) -> str:
    return _SPACE.sub(" ", text.replace("\u200b", "").replace("\u00ad", "")).strip()


def page_title(document: Document, url: str) -> str:
    """A title to show: the page's own, else its address."""
    return document.title or urlsplit(url).path or url
