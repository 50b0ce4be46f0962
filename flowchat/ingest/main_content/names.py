"""Class names and ids that say of an element that it is no content.

A word counts where it begins or ends a name, as in `left-sidebar` and `sidebar-left`; BEM modifiers and the hashes of
CSS modules are looked through. Ids are judged by fewer words, since sections are named after their headings:
`<section id="cookies">` may well be about cookies.
"""

import re
from functools import lru_cache

_WORDS = """
nav navs navbar navigation navheader navfooter nav-?links? menus? mainmenu submenu searchmenu megamenu menu-button
bread-?crumbs? side-?bars? sidenav cookies? cookie-?(?:bar|banner|notice|consent|popup|policy|law) gdpr
toc table-?of-?contents contents-list on-this-page pagination paginator pager
skip-?(?:links?|nav|to-?content|to-?main) back-?to-?top scroll-?to-?top
social social-?(?:links?|media|icons?|share|bar) share share-?(?:buttons?|links?|bar|icons?|this|tools?) sharing
sharedaddy addthis newsletters? newsletter-?\\w+ subscribe nosearch headerlink
related related-?(?:posts?|articles?|products?|content|items?|stories|links|topics?) recommended recommendations?
similar-?(?:items?|products?) upsells? cross-?sells? recently-?viewed recent-?posts popular-?posts
advert advertise?ments? ads? adsense ad-?(?:slot|container|wrapper|unit|banner|block) sponsored
lightbox log-?in sign-?in sign-?up slick-cloned swiper-slide-duplicate announcement-?(?:bar|banner)
edit-?(?:page|link|this-?page|section|on-github) page-?actions page-?feedback feedback helpful
prev-?next next-?prev post-?nav(?:igation)? post-?pagination contributors last-?updated
facets? filters? refinements? sort-?(?:by|bar|options) toolbar mini-?cart swatch(?:es)? reviews?
author-?(?:bio|box) about-?author (?:post|entry|article)-?tags tag-?list tagcloud printfooter catlinks
signature avatar rightside
copyright language-?(?:selector|switcher|picker) lang-?switch(?:er)? version-?(?:switcher|selector|picker)
visually-?hidden hidden-visually sr-only a11y-hidden offscreen screen-?reader(?:-?text)?
""".split()
_AFFIXES = (
    "wrap wrapper container inner box block section area list bar panel links? left right top bottom main primary "
    "secondary desktop mobile component module widget content group items? text menu form banner buttons? prompt "
    "response \\d+"
).split()
_CLASS = re.compile(
    rf"(?:.*[_-])?(?:{'|'.join(_WORDS)})(?:[_-]+(?:{'|'.join(_AFFIXES)}))*"
    r"|(?:(?:site|page|main|global|app|docs?|article|post|entry|content|md|l)[_-]*)?footer(?:[_-].*)?"
    r"|(?:navbar|breadcrumb|sidebar-|cookie-?(?:banner|consent|notice|bar)).*",
    re.IGNORECASE,
)
_ID = re.compile(
    r"(?:.*[_-])?(?:nav|navbar|navigation|sidenav|breadcrumbs?|sidebar|gdpr|toc|table-?of-?contents|pagination"
    r"|skip-?links?|newsletter|disqus|respond|mini-?cart)(?:[_-]+(?:wrap|wrapper|container|inner|left|right|top|bottom"
    r"|\d+))*|menu|(?:footer|sidebar|onetrust|cookie-?(?:banner|consent|notice|bar|law)).*",
    re.IGNORECASE,
)
_MODULE_HASH = re.compile(r"__(?=[a-z-]*[A-Z0-9_])[A-Za-z0-9_-]{5,8}$")
_MAX_NAME_CHARS = 80  # longer ones are generated

CONSENT = re.compile(r"cookie|consent|gdpr|onetrust", re.IGNORECASE)
TABLE_OF_CONTENTS = re.compile(r"toc|contents", re.IGNORECASE)
SLIDES = re.compile(r"carousel|slide|swiper|slick|lightbox|clone|marquee|ticker", re.IGNORECASE)
CONTENT = frozenset(
    "main content main-content maincontent page-content content-area document markdown-body post-content "
    "entry-content article-body article-content site-content mw-parser-output bodycontent rst-content "
    "theme-doc-markdown".split()
)


_BUTTON = re.compile(r"(?:^|.*[\s_-])(?:button|btn|cta)(?:$|[\s_-].*)", re.IGNORECASE)


@lru_cache(maxsize=8192)
def is_button(classes: str) -> bool:
    return _BUTTON.match(classes) is not None


@lru_cache(maxsize=8192)
def has_boilerplate_class(classes: str) -> bool:
    """Whether one of the names in a class attribute says so."""
    return any(
        len(name) <= _MAX_NAME_CHARS and _CLASS.fullmatch(_MODULE_HASH.sub("", name)) is not None
        for name in classes.split()
    )


def is_boilerplate_id(name: str) -> bool:
    return len(name) <= _MAX_NAME_CHARS and _ID.fullmatch(name) is not None
