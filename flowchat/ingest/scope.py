"""Which addresses belong to a source."""

import hashlib
from collections.abc import Iterable
from urllib.parse import urlsplit

from flowchat.domain import CrawlConfig, Source
from flowchat.net.urls import matches, normalise

MAX_LINKS = 10_000  # of one page
_NOT_PAGES = tuple(
    """
    .png .jpg .jpeg .gif .svg .webp .avif .ico .bmp .tif .tiff .css .js .mjs .map .json .jsonld .xml .rss .atom
    .xsd .zip .gz .tgz .bz2 .xz .7z .rar .tar .exe .msi .dmg .deb .rpm .apk .jar .whl .iso .bin .db .sqlite .csv
    .tsv .xls .xlsx .ppt .pptx .doc .odt .ods .odp .epub .ps .eps .mp3 .mp4 .m4a .m4v .ogg .ogv .wav .flac .webm
    .avi .mov .mkv .woff .woff2 .ttf .otf .eot .asc .sig .pem /robots.txt /llms.txt /llms-full.txt
    """.split()
)


def choices_hash(source: Source) -> str:
    """Changes when what its owner wants of a site does: then what is made of an unchanged page may be another thing."""
    config = source.config
    choices = (source.url, source.sitemap, source.locale, config.include, config.exclude, config.max_depth)
    return hashlib.sha256(repr(choices).encode()).hexdigest()


class Scope:
    """The folder of a root URL: same host and port, path under the root's last slash; less what its owner leaves out.

    Root https://x/docs/intro.html has the folder /docs/; so has https://x/docs/, but https://x/docs has /.
    """

    def __init__(self, root: str, config: CrawlConfig) -> None:
        parts = urlsplit(root)
        self.root = root
        self._site = f"{parts.scheme}://{parts.netloc}/"
        other = "http" if parts.scheme == "https" else "https"
        self._site_otherwise = f"{other}://{parts.netloc}/"
        self._folder = self._site + parts.path.rpartition("/")[0].lstrip("/")
        self._folder = self._folder.rstrip("/") + "/"
        self._config = config

    def on_site(self, link: str, base: str) -> str | None:
        """The normalised URL of a link to the same host, by the root's scheme."""
        url = normalise(link, base)
        if url is None:
            return None
        if url.startswith(self._site_otherwise):
            return self._site + url[len(self._site_otherwise) :]
        return url if url.startswith(self._site) else None

    def outlinks(self, links: Iterable[str], base: str) -> tuple[str, ...]:
        """The addresses of pages on the same host, once each, in their order."""
        found: dict[str, None] = {}
        for link in dict.fromkeys(links):
            url = self.on_site(link, base)
            if url is not None and not urlsplit(url).path.lower().endswith(_NOT_PAGES):
                found[url] = None
                if len(found) >= MAX_LINKS:
                    break
        return tuple(found)

    def wanted(self, link: str, base: str) -> str | None:
        """The normalised URL of a link that belongs to the source, else None."""
        found = self.outlinks((link,), base)
        return found[0] if found and self.wants(found[0]) else None

    def wants(self, url: str) -> bool:
        return url.startswith(self._folder) and self.includes(url)

    def is_in_folder(self, url: str) -> bool:
        return url.startswith(self._folder)

    def includes(self, url: str) -> bool:
        """What the owner's patterns say."""
        include, exclude = self._config.include, self._config.exclude
        return (not include or matches(include, url)) and not (exclude and matches(exclude, url))
