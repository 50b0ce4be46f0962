"""Query: what is searched for when a visitor asks, without a model.

A question that leans on the ones before it ("How do I change it?", "And on Windows?") is made to stand by itself. One
that doesn't is left as it is: words of another topic would lead the search astray.
"""

import re
from collections.abc import Sequence

MAX_TOPIC_WORDS = 12  # of a former question's topic
MAX_CONTEXT_WORDS = 40  # of a former question that goes on; of a longer one only its topic is kept
MAX_FRAGMENT_WORDS = 6  # "on Windows?"
MAX_QUERY_WORDS = 64  # searched for, however long the question is
SELF_CONTAINED_WORDS = 3  # telling words before "it" or "them", which then most likely mean one of these

# Visitors write what they like: of what repeats only so much is read, or a question of commas would take seconds.
_GAP = r"[\s,.!:]{0,8}"
_WORD = re.compile(r"\w+")
_CONTRACTED = re.compile(r"(?<=[a-z])n't\b|(?<=\w)'(?:s|re|ve|ll|d|m)\b")
_STOP_WORDS = frozenset(
    "a about an and any are as at be been but by can could did do does for from had has have how i if in into is it "
    "its may me might my of on or our should so some than that the their them then there these they this to us was we "
    "were what when where which who why will with would you your".split()
)
# What the words of a question are about when no other word says it: "What is the default?"
_RELATIVE_WORDS = frozenset(
    "again also alternative alternatives called change cost default defaults difference differences disable else "
    "enable example examples exception exceptions happen happens instead later limit limits long main many maximum "
    "mean means minimum much need option options order other others raise reason result same set setting size still "
    "syntax time turn two type types use used using value values way ways work works".split()
)
_COURTESY = re.compile(
    rf"^\W{{0,8}}((hi|hello|hey|good (morning|day|evening))( there)?\b{_GAP})?(thanks|thank you)?{_GAP}"
    r"((please|kindly|excuse me|sorry)\b[\s,]{0,8})?"
    r"((can|could|would|will) (you|anyone|someone|somebody) (please |kindly )?"
    r"((tell|show|explain to|give|help) (me|us)( understand)?|explain|describe|let me know)"
    r"|(please )?(tell|explain to|show) (me|us)|i (want|need|would like|'d like|d like) to know|do you know"
    r"|i (was|am|'m) wondering|i have a question)"
    r"(?=[\s,:]{1,8}(what|which|who|whose|when|where|why|how|if|whether|about))"
    r"[\s,:]{1,8}",
    re.IGNORECASE,
)
_THANKS = re.compile(
    rf"{_GAP}\b(please|thanks|thank you|thx|many thanks)( in advance| a lot| very much)?\W{{0,8}}$", re.IGNORECASE
)

# "and", "what about": the rest of the question before it is meant, too.
_GOES_ON = re.compile(
    r"^((and|or|but|also|what about|how about|what if|same for|why not|how so)\b|(how come|why)\W{0,8}$)", re.IGNORECASE
)
_FRAGMENT = re.compile(
    r"^(about|after|an?|as|at|because|before|between|by|during|even|except|for|from|if|in|inside|into|just|like|not|of|"
    r"on|only|out|over|per|plus|since|so|than|the|then|through|to|under|unless|until|using|via|while|with|within|"
    r"without)\b",
    re.IGNORECASE,
)
_PRONOUN = re.compile(
    r"\b(it|its|they|them|their|theirs|ones?|the (latter|former|same|two)|both of)\b"
    r"|\b(this|these|those)(?=\W{0,8}$|\s{1,8}(is|are|do|does|can|work)\b)",
    re.IGNORECASE,
)
_SUBJECT = re.compile(
    r"^[^,;:.!?]*\b(is|are|was|were|do|does|did|can|could|may|might|must|should|will|would|has|have) "
    r"(it|they|this|these|those|that)\b(?! \w+ (is|are|was|were|do|does|can)\b)",
    re.IGNORECASE,
)
_NO_VERB = re.compile(r"^(which|what) \w+\W*$", re.IGNORECASE)
_THAT = re.compile(
    r"^that\b|\bthat\W*$|\b(do|does|did|is|was|will|would|can|could|about|of|for|with|without|after|before|like|than|"
    r"from|at|by|avoid|undo|change|disable|enable|why|how|need) that\b",
    re.IGNORECASE,
)
_MEANS_NOTHING = re.compile(
    r"\b(is|was|be|would) it (possible|safe|ok|okay|allowed|necessary|better|best|true|normal|required|recommended|"
    r"legal|bad|good|common|worth)\b|\bdoes it (matter|make sense|mean)\b|\bone (of|more|by)\b|\bat once\b",
    re.IGNORECASE,
)
_LEAD = re.compile(
    r"^(and |but |so |then |also )*(tell me about |explain |describe |show |list |"
    r"(what|which|who) (is|are|was|were) (the (meaning|purpose|difference) (of|between) )?|what('s| does| do| did) |"
    r"how (do|does|did|can|could|should|would|to) (i |you |we |one |somebody |someone )?((best|safely|quickly) )?|"
    r"how (many|much|long|large|big|old|often|fast) |where (do|does|can|is|are|should) (i |you |we )?|"
    r"why (is|are|do|does|did|should|would) (i |you |we )?|when (is|are|do|does|should|would) (i |you |we )?|"
    r"(is|are) there (an? |any )?|(do|does|did|is|are|can|could|should|will|would|may|must) (i |you |we )?|"
    r"(what|which|who|where|when|why|how) )?(the |an? )?",
    re.IGNORECASE,
)
_TOPIC_END = re.compile(r"\s(do|does|work|mean|means|for)$", re.IGNORECASE)


def standalone_query(query: str, history: Sequence[str]) -> str:
    """The question without courtesies, and with what it leans on in the `history` (former questions, oldest first)."""
    whole = topic = ""
    for question in map(without_courtesies, (*history, query)):
        if whole and _goes_on(question):
            whole = f"{whole if len(whole.split()) <= MAX_CONTEXT_WORDS else topic} {question}"
        elif whole and _leans_back(question):
            whole = f"{topic}: {question}"
        else:
            whole, topic = question, _topic(question)
    return whole


def without_courtesies(query: str) -> str:
    """ "Hi, can you tell me how X works? Thanks!" -> "how X works?". Where nothing would be left, the query."""
    plain = _THANKS.sub("", _COURTESY.sub("", query.strip()))
    return plain if _WORD.search(plain) else query.strip()


def query_words(query: str) -> list[str]:
    """The words worth searching for: all but the commonest, or all of them if none is left; MAX_QUERY_WORDS at most."""
    words = list(dict.fromkeys(_WORD.findall(without_contractions(query))))
    return ([word for word in words if word not in _STOP_WORDS] or words)[:MAX_QUERY_WORDS]


def without_contractions(text: str) -> str:
    """The text in lower case; of "what's", "doesn't", "can't", "I've" are left "what", "does", "can", "i"."""
    plain = text.lower().replace("\u2019", "'").replace("can't", "can").replace("won't", "will")
    return _CONTRACTED.sub("", plain)


def _goes_on(question: str) -> bool:
    """Whether it is only the end of a question. Words without a question mark are a search of their own."""
    if _GOES_ON.match(question):
        return True
    return bool(_FRAGMENT.match(question)) and question.endswith("?") and len(question.split()) <= MAX_FRAGMENT_WORDS


def _leans_back(question: str) -> bool:
    """Whether it speaks of something that it doesn't name."""
    plain = _MEANS_NOTHING.sub(" ", question)
    if not _telling(plain) or _SUBJECT.search(plain) or _NO_VERB.search(plain):
        return True
    pronoun = _PRONOUN.search(plain) or _THAT.search(plain)
    return pronoun is not None and len(_telling(plain[: pronoun.start()])) < SELF_CONTAINED_WORDS


def _telling(text: str) -> list[str]:
    words = _WORD.findall(without_contractions(text))
    return [word for word in words if word not in _STOP_WORDS and word not in _RELATIVE_WORDS]


def _topic(question: str) -> str:
    """What a question is about: the question less its question words."""
    topic = _LEAD.sub("", question, count=1).rstrip(" \t\n?!.;:,")
    words = _TOPIC_END.sub("", topic).split() or question.split()
    return " ".join(words[:MAX_TOPIC_WORDS])
