"""What is no content inside the main part."""

from bisect import bisect_left

from flowchat.ingest.extract.main_content import names, phrases
from flowchat.ingest.extract.main_content.page import Page

_HEADINGS = frozenset(("h1", "h2", "h3", "h4", "h5", "h6"))
_TITLES = frozenset(("h1", "h2"))
_LISTS = frozenset(("ul", "ol"))
_LINK = frozenset(("a",))
_IMAGE = frozenset(("img",))
_KEPT_WHATEVER_NAMED = frozenset(("main", "article", "code", "pre", "table", "tr", "td", "th", *_HEADINGS))
_PAGE_PARTS = frozenset(("main", "h1"))
_MAIN = frozenset(("main",))
_OWN_MATTER = frozenset(("article", "pre", "img", *_HEADINGS))
_PRE = frozenset(("pre", "code"))
_EXACT = frozenset(("pre", "code", "table"))
_INLINE = frozenset(("a", "span", "label", "small"))
_PART_OF_TEXT = frozenset("b em strong code i td th pre tr thead tbody tfoot caption kbd samp var dt".split())
_IMAGE_HOLDERS = frozenset("a figure p li div td section".split())
_MAX_DROP = 0.5  # of the text, for a name or a title
_MAX_PROSE_BEFORE_TITLE = 500
_MIN_PROSE_BESIDE_LIST = 100
_MAX_BUTTON_CHARS = 40
_MAX_INTRO_CHARS = 30  # before a section's title, in its container


def drop_boilerplate_names(page: Page, root: int) -> None:
    total = page.size(root)
    is_index = page.linked(root) > page.prose(root)  # then its table of contents is what it has to say
    for number in page.elements(root):
        tag, attributes = page.tags[number], page.attributes[number]
        classes, ident = attributes.get("class") or "", attributes.get("id") or ""
        if tag in _KEPT_WHATEVER_NAMED or not (classes or ident):
            continue
        if is_index and names.TABLE_OF_CONTENTS.search(classes):
            continue
        if tag == "a" and page.tags[page.parents[number]] in _HEADINGS:
            continue  # the heading's own text, linked to the table of contents
        is_named = names.has_boilerplate_class(classes) or (tag != "section" and names.is_boilerplate_id(ident))
        if is_named or ("signature" in classes and _is_forum_signature(page, number, classes)):
            is_small = page.size(number) < _MAX_DROP * total and not page.contains(number, _PAGE_PARTS)
            if is_small or (names.CONSENT.search(f"{classes} {ident}") and not page.contains(number, _MAIN)):
                page.drop(number)
        elif tag == "footer" and not page.is_prose(number):
            page.drop(number)
    page.recount()


def _is_forum_signature(page: Page, number: int, classes: str) -> bool:
    """What a member writes under each post; functions have signatures too, with parentheses."""
    return "signature" in classes.split() and "(" not in page.text(number)


def drop_link_blocks(page: Page, root: int) -> None:
    """Going down to where most of the prose is, drop what stands beside the way and is mainly links."""
    node: int | None = root
    while node is not None and (prose := page.prose(node)) >= 200:
        children = list(page.children(node))
        node = next((child for child in children if page.prose(child) >= 0.6 * prose), None)
        for child in children if node is not None else ():
            is_links = page.linked(child) > max(30, 0.5 * page.size(child))
            if child != node and is_links and page.tags[child] != "li" and not page.contains(child, _OWN_MATTER):
                page.drop(child)


def drop_links_before_title(page: Page, root: int) -> None:
    """Drop what stands before the page's title and is mainly links: the way to it, other versions, languages."""
    headings = [i for i in page.tagged(root, _TITLES) if page.size(i)]
    title = min(headings, key=lambda i: page.tags[i], default=0)
    if page.prose_between(root, title) > _MAX_PROSE_BEFORE_TITLE:
        return  # it is a later part's
    for number in page.elements(root):
        if number >= title:
            break
        if page.ends[number] > title or page.tags[number] in _INLINE | _PART_OF_TEXT:
            continue
        if page.linked(number) > 0.3 * page.size(number) and not page.contains(number, _HEADINGS):
            page.drop(number)
    page.recount()


def drop_sections_elsewhere(page: Page, root: int) -> None:
    """Drop sections whose title leads away from the page: related articles, reader comments, sign-up."""
    total = page.size(root)
    ends = _section_ends(page, root)
    for heading in list(ends):
        if page.dropped[heading] or not 0 < page.size(heading) <= phrases.MAX_TITLE_CHARS:
            continue
        title = page.text(heading)
        section = _section(page, root, heading, ends[heading])
        if phrases.may_lead_elsewhere(title):
            if not phrases.VAGUE_NAMES.search(page.names(section[0])):
                continue
        elif not phrases.leads_elsewhere(title):
            continue
        if any(page.contains(part, _EXACT) for part in section):
            continue
        size = sum(page.size(part) for part in section)
        is_talk = phrases.TALK.search(title) and page.size_between(root, section[0]) > 300
        if size < _MAX_DROP * total or is_talk:
            for part in section:
                page.drop(part)
    page.recount()


def _section_ends(page: Page, root: int) -> dict[int, int]:
    """For each heading, where the next one of its level or above begins."""
    ends: dict[int, int] = {}
    open_headings: list[int] = []
    for number in page.tagged(root, _HEADINGS):
        level = page.tags[number]
        while open_headings and page.tags[open_headings[-1]] >= level:
            ends[open_headings.pop()] = number
        open_headings.append(number)
    ends.update(dict.fromkeys(open_headings, page.ends[root]))
    return dict(sorted(ends.items()))


def _section(page: Page, root: int, heading: int, end: int) -> list[int]:
    """The container that the heading opens, else the heading and its following siblings."""
    top = heading
    for above in page.ancestors(heading):
        if above <= root or page.ends[above] > end or page.size_between(above, heading) > _MAX_INTRO_CHARS:
            break
        top = above
    section = [top]
    if page.size(top) <= page.size(heading) + 5:
        sibling, last = page.ends[top], page.ends[page.parents[top]]
        while sibling < last and page.ends[sibling] <= end:
            if not page.dropped[sibling]:
                section.append(sibling)
            sibling = page.ends[sibling]
    return section


def drop_controls(page: Page, root: int) -> None:
    """Drop blocks that say no more than "Edit this page" or "Was this helpful?"."""
    tags, parents, size_of = page.tags, page.parents, page.size
    for number in page.sized(root, phrases.MAX_PHRASE_CHARS):
        tag = tags[number]
        if page.dropped[number] or tag in _PART_OF_TEXT:
            continue
        size, parent = size_of(number), parents[number]
        if tag in _INLINE and parent in page.has_own_text:
            continue  # a word in a sentence
        if tag != "a" and parent != root and tags[parent] not in _PART_OF_TEXT and size_of(parent) == size:
            continue  # its text is its parent's, and that was judged
        text = page.text(number)
        is_control = page.linked(number) == size and (_is_button(page, number) or phrases.is_control(text))
        if (is_control or (tag not in _HEADINGS and phrases.is_phrase(text))) and not page.contains(number, _PRE):
            page.drop(number)
    page.recount()


def _is_button(page: Page, number: int) -> bool:
    """A link drawn as a button, or a row of links as old pages have them for "previous, up, next"."""
    if page.tags[number] == "a":
        return page.size(number) <= _MAX_BUTTON_CHARS and names.is_button(page.attributes[number].get("class") or "")
    rows = page.tags[number : page.ends[number]].count("tr")
    return page.tags[number] == "table" and rows == 1


def drop_tables_of_contents(page: Page, root: int) -> None:
    """Drop lists of nothing but links to anchors of the page itself, unless there is next to nothing else."""
    if page.prose(root) < _MIN_PROSE_BESIDE_LIST:
        return
    links = page.tagged(root, _LINK)
    for number in page.tagged(root, _LISTS):
        if not page.dropped[number] and page.linked(number) > 0.8 * page.size(number):
            inside = links[bisect_left(links, number) : bisect_left(links, page.ends[number])]
            hrefs = [page.attributes[i].get("href") or "" for i in inside]
            if len(hrefs) >= 3 and all(href.startswith("#") for href in hrefs):
                page.drop(number)
    page.recount()


def drop_decoration(page: Page, root: int) -> None:
    """Drop images whose alternative text says nothing that isn't there already: icons, logos, pictures of a link."""
    for number in page.tagged(root, _IMAGE):
        alt = page.attributes[number].get("alt") or ""
        holder = next((i for i in page.ancestors(number) if page.tags[i] in _IMAGE_HOLDERS), 0)
        if page.tags[holder] == "a" or len(alt.split()) < 3 or phrases.ALT_OF_DECORATION.search(alt):
            page.drop(number)
