"""What pages say to work, not to inform: the texts of their controls, and the titles of sections that lead elsewhere.

English only; other languages rely on markup and names. A text counts only where it is all that its block says.
"""

import re
from functools import lru_cache

MAX_PHRASE_CHARS = 200
MAX_TITLE_CHARS = 100


_FRAGMENTS = {
    "{RELATED}": "related|similar|recommended|suggested|popular|recent|latest|trending|featured|sponsored",
    "{THINGS}": "articles?|posts?|stor(?:y|ies)|products?|items?|news|threads?|discussions?|questions?|searches|reads"
    "|reading|blogs?|videos?|jobs|courses|tags|categories|seminars|comments|recipes|listings|for you|books",
}


def _any_of(lines: str) -> re.Pattern[str]:
    """Alternatives on each line; what isn't a letter before and after the words doesn't matter.

    For text in lower case: that takes a third of the time that ignoring case does.
    """
    patterns = "|".join(lines.strip().splitlines())
    for name, fragment in _FRAGMENTS.items():
        patterns = patterns.replace(name, fragment)
    return re.compile(rf"[\W\d_]*(?:{patterns})[\W_]*")


# Good wherever they are a block of their own.
_PHRASES = _any_of(r"""
(?:edit|improve|suggest (?:an )?edits?(?: to)?) (?:this |the )?(?:page|file|source|article|doc\w*|topic)(?: .{0,30})?
(?:view|show|see) (?:this |the |page )?(?:source|raw)(?: (?:on|in|code|for) .{0,30})?|(?:view|show) (?:this )?page
(?:edit|view|open|discuss|improve)(?: \w+){0,3} (?:on|in) (?:github|gitlab|bitbucket|chatgpt|claude)
(?:view|copy|open)(?: page)? as markdown|copy for llm|ask about this .{0,20}|(?:page )?(?:tools|actions)
(?:help )?improve (?:this (?:page|doc\w*|article).{0,30}|these docs.{0,20})|learn how to contribute
(?:report|create|open|raise|file|submit) (?:an? )?(?:\w+ )?(?:issue|bug|problem|correction)s?.{0,40}
request (?:changes|an? edit)|report code block
(?:send|give|leave|provide|share) (?:us )?(?:your |some )?feedback.{0,30}|feedback
(?:was|is|did you find|how helpful|how useful) .{0,40}(?:helpful|useful|information).{0,30}
rate this (?:page|article|topic).{0,20}|do you have any feedback.{0,30}
(?:on|in) this (?:page|article|section|document|guide|topic)|table of contents|page contents|contents of this page
(?:toggle|open|show|hide)(?: the| all)? (?:table of contents|sidebar|navigation|menu|contents).{0,12}
(?:skip|jump) to .{0,30}|(?:go |return |scroll )?(?:back )?to (?:the )?top.{0,10}
(?:prev(?:ious)?|next) (?:page|topic|article|post|chapter|section|lesson)
(?:this (?:page|article) was )?(?:page )?(?:last|recently) (?:updated?|modified|edited|reviewed|changed)\b.{0,160}
(?:this page|page) (?:was )?(?:updated|modified) (?:on )?.{0,40}
copy (?:code|link|page|url|to clipboard|code block|permalink|text)|permalink.{0,20}
(?:section titled|direct link to|anchor link)\b.*|print (?:this )?(?:page|article|section|entire section|book)
create child page|old revisions|submit correction|expand description
stay organized with collections|save and categorize content based on your preferences|\d+ languages
share (?:this|on|via|link|article|post|page|with|to)\b.{0,30}|pin it|(?:follow|find) (?:us|me)\b.{0,30}
connect with us.{0,30}
(?:sign|log) ?(?:in|up|out)(?: (?:or|/|to|for|now|free|with|here).{0,60})?|register(?: (?:now|here|today))
(?:create|open) (?:an? )?(?:free |new )?account.{0,20}|you must (?:log|sign|be logged) .{0,60}
subscribe(?: (?:now|today|to|here|us|our|newsletter).{0,80})
join (?:now|us|for free|our newsletter|the mailing list)(?: .{0,30})?
get started(?: (?:now|for free|today|free))?
(?:learn|read|show|see|view|load) (?:more|less|all|full|details)(?: (?:about|posts|articles|results|products|now))?
continue reading|find out more|more info(?:rmation)?|view (?:all|details|product|collection|cart) ?.{0,20}
shop (?:now|all|the collection)
(?:apply|download|buy|order|book|try|start|call|watch|contact) (?:now|today|it now|free|us|sales|for free)
add to (?:cart|bag|basket|wish ?list|compare|list|watchlist|favou?rites|registry|home screen)
quick (?:view|shop|add|buy|look)|(?:choose|select) (?:options?|a size|size)|sort(?: by|:).{0,40}
filter(?: by| & sort| and sort|s? ?\(\d+\))|clear (?:all|filters?)|apply filters?
(?:write|leave|read) (?:a |all |the |\d+ ?)?(?:customer )?reviews?|skip (?:images|carousel|ad)
advertise?ments?|sponsored(?: (?:by|content|links?).{0,30})?|promoted|loading\W*|please wait.{0,10}
close (?:menu|modal|dialog|search|filter)|search within
(?:accept|reject|allow|manage|decline) (?:all|cookies?|all cookies|preferences).{0,20}
cookies? (?:policy|settings|preferences|notice).{0,10}|privacy (?:policy|notice|settings)|terms (?:of|and|&) .{0,40}
your privacy choices.{0,10}|sitemap
(?:copyright\b|©|\(c\) ?\d{4}).{0,160}|.{0,80}all rights reserved.{0,40}
(?:powered|made|built|hosted) (?:by|with) .{0,40}|retrieved from .{0,120}
click to (?:expand|enlarge|zoom|copy|tweet).{0,20}|show (?:caption|ignored content|child attributes|comments)
opens in (?:a )?new (?:tab|window).{0,20}|start new topic|reply to this topic|go to topic listing
join the (?:discussion|conversation)
""")
# Words that text uses too: good where they are a link or a control.
_CONTROLS = _any_of(r"""
prev(?:ious)?|next|up|home|menu|search|source|more|copy|copied|share|print|edit|reply|report|quote|like|save|send
submit|cancel|ok|yes|no|delete|close|expand(?: all)?|collapse(?: all)?|reload|undo|subscribe|register|join|legal
privacy|terms|tweet|ads?|accessibility(?: statement)?|chapters|loading|view(?:ed)?|follow|feedback
""")
# The page's own content doesn't come under these.
_TITLES = _any_of(r"""
(?:{RELATED}) (?:{THINGS})(?: .{0,30})?
recommended for you
you (?:may|might|would|could|will|[\'\u2019]?ll) ?(?:also )?(?:like|love|enjoy|need|be interested).{0,40}
(?:people|customers|others|guests|shoppers) (?:who|also) .{0,60}|(?:frequently|often|commonly) bought together
(?:compare|shop)(?: with)? similar .{0,20}|pairs well with|goes well with|complete (?:the|your) look
more (?:from|by|like) .{0,60}|more to (?:explore|read|love)|(?:also|recently|last) viewed.{0,20}
your recently viewed.{0,20}|keep (?:reading|exploring)|(?:read|up) next|don[\'\u2019]t miss.{0,20}|from (?:the|our) blog
(?:leave|post|write|add) (?:a|your) (?:reply|comment|response|review).{0,30}
\d+ (?:comments?|responses|replies|reviews)|(?:comments?|reviews?) \(\d+\)|\d+ thoughts on .*
join (?:the|our) (?:discussion|conversation|newsletter|community|mailing).{0,40}
(?:customer|user|verified|guest) (?:ratings? (?:&|and) )?reviews?(?: (?:&|and) ratings?)?:?
ratings? (?:&|and) reviews?|reviews? (?:&|and) ratings?|(?:customer )?questions? (?:&|and) answers?
seller feedback.{0,20}|submit correction|try it for yourself
(?:join|get answers (?:on|in|from)|ask (?:in|on)) (?:our |the )?.{0,20}(?:community|discord|slack|forums?)
about the authors?|written by .{0,30}|filed under.{0,30}|share (?:this|on|via|with)\b.{0,30}
(?:stay|keep) (?:up to date|connected|in touch|informed).{0,40}|(?:sign|join) up (?:for|to) .{0,60}
subscribe .{0,60}|get (?:the latest|updates|our newsletter)\b.{0,60}
(?:was|is) this .{0,30}helpful.{0,10}|(?:filter|refine|narrow)(?: results)? (?:by|your).{0,30}|footer.{0,20}
site .{0,12}navigation|help improve .{0,40}
""")
# Titles that documentation uses for its own matter: good where the section's class says the same.
_VAGUE_TITLES = _any_of(r"""
comments?|replies|responses|reviews?|ratings?|tags?|categories|contributors|newsletter|feedback|filters?|contents
advertisement
""")
TALK = re.compile(r"review|comment|repl|response|discussion", re.IGNORECASE)
VAGUE_NAMES = re.compile(
    r"comment|repl(?:y|ies)|respon[ds]|review|rating|tag|categor|contribut|newsletter|feedback|filter|toc|contents",
    re.IGNORECASE,
)
# Of dialogs and other hidden text that is none of the page's own.
NOTICES = re.compile(
    r"\b(?:cookies?|consent|subscribe|newsletter|sign ?(?:up|in)|log ?in|password|age verification|e-?mail address"
    r"|discount|privacy|advertis\w*|partners|why you're|authorization)\b",
    re.IGNORECASE,
)
ALT_OF_DECORATION = re.compile(
    r"\b(?:logo|icon|thumbnail|avatar|badge|banner|picture|photo)s?\b|\.(?:png|jpe?g|gif|svg|webp)$|^https?:|_",
    re.IGNORECASE,
)


@lru_cache(maxsize=4096)
def is_phrase(text: str) -> bool:
    return _PHRASES.fullmatch(text.lower()) is not None


@lru_cache(maxsize=4096)
def is_control(text: str) -> bool:
    return _CONTROLS.fullmatch(text.lower()) is not None


def leads_elsewhere(title: str) -> bool:
    return _TITLES.fullmatch(title.lower()) is not None


def may_lead_elsewhere(title: str) -> bool:
    return _VAGUE_TITLES.fullmatch(title.lower()) is not None
