"""Which of a page's translations a source wants."""

from collections.abc import Iterable


def better_locale(locale: str, own: str, alternates: Iterable[tuple[str, str]]) -> str | None:
    """The address of the translation that suits a locale better than the page's `own` language.

    None: the page stays, and does so where its own language isn't known.
    `alternates`: (hreflang in lower case, address), the page itself among them or not. The order of preference is the
    locale itself, its language, and what the site shows to everybody else (`x-default`).
    """
    wanted = locale.lower()
    ranked = sorted((rank, n, address) for n, (tag, address) in enumerate(alternates) if (rank := _rank(tag, wanted)))
    best = ranked[0] if ranked else None
    own_rank = _rank(own, wanted)
    if not own or best is None or (own_rank and own_rank <= best[0]):
        return None
    return best[2]


def _rank(tag: str, wanted: str) -> int:
    """1 is best, 0 is no match."""
    if tag == wanted:
        return 1
    if tag.partition("-")[0] == wanted.partition("-")[0]:
        return 2
    return 3 if tag == "x-default" else 0
