"""Which pages of a folder of HTML files can be reached by links: worked out from the files, without a crawler."""

from collections import deque
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

_LINKS = {"a": "href", "area": "href", "frame": "src", "iframe": "src"}


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if (link := values.get(_LINKS.get(tag, ""))) and "nofollow" not in (values.get("rel") or ""):
            self.found.append(link)


def reachable(folder: Path, root: str) -> set[str]:
    """URLs of the HTML pages of the folder that links lead to from its index.html, served at `root`."""
    waiting = deque([root])
    known = {root}
    pages: set[str] = set()
    while waiting:
        url = waiting.popleft()
        path = folder / unquote(urlsplit(url).path).lstrip("/")
        if path.is_dir() and not url.endswith("/"):
            url += "/"
        path = path / "index.html" if path.is_dir() else path
        if path.suffix not in (".html", ".htm") or not path.is_file():
            continue
        pages.add(url)
        parser = _Links()
        parser.feed(path.read_text("utf-8", "replace"))
        for link in parser.found:
            try:
                following = urldefrag(urljoin(url, link.strip()))[0].partition("?")[0]
            except ValueError:
                continue
            if following.startswith(root) and following not in known:
                known.add(following)
                waiting.append(following)
    return pages
