"""URLs: the WHATWG's cases (url/urltestdata.json), and what a crawl's one form of a URL costs."""

import json
import timeit
from typing import Any

from flowchat.evaluation.corpora import read_corpus
from flowchat.evaluation.report import Measure, Options, Report
from flowchat.net.urls import normalise, parse, resolve

CORPUS = "url/urltestdata.json"
_WEB = ("http:", "https:")
_LINKS = (
    "../tutorial/introduction.html#strings",
    "https://docs.example.com/en/3.11/library/functions.html",
    "/en/3.12/?utm_source=x&b=1",
    "https://www.example.org/a/b?c=1&d=2",
    "/en/3.11/%c3%a4/b.html",
    "#anchor",
)
_PAGE = "https://docs.example.com/en/3.11/library/index.html"
_ROUNDS = 500


def run(options: Options) -> Report:
    """Compare what each case parses to, among the http(s) cases and among all."""
    told = json.loads(read_corpus(options.data, CORPUS))
    cases = [case for case in told if isinstance(case, dict)]  # the others are remarks
    web = [case for case in cases if _is_web(case)]
    wrong = [case for case in web if not _is_right(case)]
    valid = [case for case in web if "href" in case]
    refused = sum(parse(case["input"], case["base"]) is None for case in valid)
    return Report(
        "URLs: WHATWG",
        (
            Measure(f"right of {len(web)} http(s) cases", len(web) - len(wrong), "all", not wrong),
            Measure(f"right of all {len(cases)} cases", sum(map(_is_right, cases))),
            Measure("one form of a URL, µs", _cost_us()),
        ),
        (
            "An http(s) case gives such a URL, or should fail and has that scheme, or none and a base with it.",
            f"{refused} of the {len(valid)} valid ones are refused afterwards, on purpose: they name a user or a "
            "password. So would be one of more than 2,048 characters.",
            *(f"{case['input']!r}, base {case['base']!r}" for case in wrong),
        ),
    )


def _is_web(case: dict[str, Any]) -> bool:
    if "protocol" in case:
        return case["protocol"] in _WEB
    text = case["input"].lstrip().lower()
    head = text.partition("/")[0].partition("?")[0].partition("#")[0]
    return text.startswith(_WEB) or (":" not in head and str(case["base"]).startswith(_WEB))


def _is_right(case: dict[str, Any]) -> bool:
    return resolve(case["input"], case["base"]) == case.get("href")


def _cost_us() -> float:
    """Least time per link of some rounds over a page's links."""
    taken_s = min(timeit.repeat(lambda: [normalise(link, _PAGE) for link in _LINKS], repeat=5, number=_ROUNDS))
    return taken_s / (_ROUNDS * len(_LINKS)) * 1e6
