"""Tells pages whose text is made by scripts, which extraction can't read."""

import re

from selectolax.lexbor import LexborHTMLParser, LexborNode

from flowchat.ingest.extract.parse import parse_html

MAX_SHELL_CHARS = 250  # of text around an empty application: its header and footer
MAX_LOADING_CHARS = 40  # of text in it: "Loading..."

_ROOTS = (
    "#root,#app,#__next,#__nuxt,#___gatsby,#svelte,#application,#app-root,#react-root,#main-app,#mount,#q-app,"
    "#__docusaurus,#redoc,#redoc-container,#swagger-ui,app-root,[ng-app],[data-ng-app],[data-reactroot],[data-sveltekit-hydrate]"
)
_INVISIBLE = "script,style,noscript,template,svg,head"
_MEDIA = "img,picture,video,audio,object,embed,canvas,iframe,frame"
_JAVASCRIPT = re.compile("javascript", re.IGNORECASE)
_LEADS_AWAY = re.compile(r"location\s*(?:\.\s*(?:href|replace|assign)\s*)?[=(]")
_MIN_SCRIPT_CHARS = 500  # a shorter one makes no page, unless it loads another or has an application's root to fill


def is_made_by_scripts(html: str, text_chars: int) -> bool:
    """Whether a page of which `text_chars` characters of text were extracted is an application's empty shell."""
    if text_chars > MAX_SHELL_CHARS:
        return False
    tree = parse_html(html)
    scripts = [(script.attributes.get("src") or "", script.text()) for script in tree.css("script")]
    if not scripts or _leads_away(tree, scripts):
        return False
    makes_pages = any(source or len(text) >= _MIN_SCRIPT_CHARS for source, text in scripts)
    notices = " ".join(node.text() for node in tree.css("noscript"))
    for node in tree.css(_INVISIBLE):
        node.decompose()
    if tree.body is None or len(_text(tree.body)) > MAX_SHELL_CHARS:
        return False
    if any(len(_text(root)) <= MAX_LOADING_CHARS and not _has_media(root) for root in tree.css(_ROOTS)):
        return True
    is_empty = len(_text(tree.body)) <= MAX_LOADING_CHARS and not _has_media(tree.body)
    return makes_pages and is_empty and (bool(_JAVASCRIPT.search(notices)) or not _text(tree.body))


def _leads_away(tree: LexborHTMLParser, scripts: list[tuple[str, str]]) -> bool:
    """A stub that does nothing but redirect."""
    if any((meta.attributes.get("http-equiv") or "").lower() == "refresh" for meta in tree.css("head > meta")):
        return True
    return not any(source for source, _ in scripts) and any(_LEADS_AWAY.search(text) for _, text in scripts)


def _has_media(node: LexborNode) -> bool:
    return node.css_first(_MEDIA) is not None


def _text(node: LexborNode) -> str:
    return " ".join(node.text().split())
