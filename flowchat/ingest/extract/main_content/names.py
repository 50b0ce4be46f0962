"""Class names and ids that say of an element that it is no content.

A word counts where it begins or ends a name, as in `left-sidebar` and `sidebar-left`; BEM modifiers and the hashes of
CSS modules are looked through. Ids are judged by fewer words, since sections are named after their headings:
`<section id="cookies">` may well be about cookies.
"""

import re
from functools import lru_cache

_WORDS = frozenset(
    """
    nav navs navbar navigation navheader navfooter navlinks menu menus mainmenu submenu searchmenu megamenu
    breadcrumb breadcrumbs sidebar sidebars sidenav cookie cookies gdpr toc tableofcontents pagination paginator pager
    skiplink skiplinks social share sharing sharethis sharedaddy addthis newsletter newsletters subscribe nosearch
    headerlink related recommended recommendation recommendations upsell upsells crosssell crosssells
    advert adverts advertisement advertisements ad ads adsense sponsored lightbox login signin signup editsection
    feedback helpful prevnext nextprev contributors facet facets filter filters refinement refinements toolbar minicart
    swatch swatches review reviews tagcloud taglist printfooter catlinks avatar rightside copyright
    visuallyhidden offscreen screenreader site-footer
    """.split()
)
_PAIRS = frozenset(
    """
    bread-crumb bread-crumbs side-bar side-bars table-contents of-contents contents-list this-page nav-link nav-links
    menu-button cookie-bar cookie-banner cookie-notice cookie-consent cookie-popup cookie-policy cookie-law
    skip-link skip-links skip-nav to-content to-main to-top social-links social-media social-icons social-share
    share-buttons share-links share-icons share-tools newsletter-signup newsletter-form similar-items similar-products
    recently-viewed recent-posts popular-posts related-posts related-articles related-products related-content
    related-items related-stories related-links related-topics cross-sell cross-sells ad-slot ad-unit ad-banner
    log-in sign-in sign-up slick-cloned slide-duplicate announcement-bar announcement-banner edit-page edit-link
    edit-section on-github page-actions page-feedback prev-next next-prev post-navigation post-nav post-pagination
    last-updated sort-by sort-bar sort-options mini-cart author-bio author-box about-author post-tags entry-tags
    article-tags tag-list language-selector language-switcher language-picker lang-switch lang-switcher
    version-switcher version-selector version-picker visually-hidden hidden-visually sr-only a11y-hidden screen-reader
    reader-text post-signature user-signature message-signature forum-signature
    """.split()
)
_AFFIXES = frozenset(  # after such a word they change nothing
    """
    wrap wrapper container inner box block section area list bar panel link links left right top bottom main primary
    secondary desktop mobile component module widget content group item items text menu form banner button buttons
    prompt response
    """.split()
)
_FOOTERS = frozenset("site page main global app doc docs article post entry content md l".split())
_BEGINNINGS = ("navbar", "breadcrumb", "sidebar-", "cookie-banner", "cookie-consent", "cookie-notice", "cookie-bar")
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
    return any(map(_is_boilerplate_class, classes.split()))


@lru_cache(maxsize=8192)
def _is_boilerplate_class(name: str) -> bool:
    if len(name) > _MAX_NAME_CHARS:
        return False
    if "__" in name:
        name = _MODULE_HASH.sub("", name)
    name = name.lower()
    if name.startswith(_BEGINNINGS):
        return True
    parts = [part for part in name.replace("_", "-").split("-") if part]
    if "footer" in parts[:2] and (parts[0] == "footer" or parts[0] in _FOOTERS):
        return True
    while parts:
        if parts[-1] in _WORDS or "-".join(parts[-2:]) in _PAIRS:
            return True
        if parts[-1] not in _AFFIXES and not parts[-1].isdigit():
            return False
        parts.pop()
    return False


def is_boilerplate_id(name: str) -> bool:
    return len(name) <= _MAX_NAME_CHARS and _ID.fullmatch(name) is not None
