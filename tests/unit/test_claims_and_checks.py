"""Beside the verifier's model: sentences taken apart, evidence chosen, and claims refused by rule."""

from collections.abc import Sequence

import pytest
from fakes import FakeVerifier

from flowchat.answer.checks import failed_check
from flowchat.answer.claims import select_evidence, split_claims
from flowchat.answer.copies import is_altered
from flowchat.answer.leaks import repeats
from flowchat.answer.quantities import misquotes
from flowchat.answer.verify import support_of


@pytest.mark.parametrize(
    ("sentence", "parts"),
    [
        ("The free plan allows 3 projects; the paid plan allows 50 projects.", 2),
        ("The server writes a log file, and the client reads the log file.", 2),
        ("Run the tests, and fix them.", 0),
        ("The cache is used only if it is warm, and the disk is read otherwise.", 0),
        ("The index is not used, and the table is scanned.", 0),
        ("The parser reads the file, and it returns a tree.", 0),
        ("Use either the flag, or the file, and the tool is happy.", 0),
        ("It has no parts.", 0),
    ],
)
def test_only_what_stands_alone_is_split(sentence: str, parts: int) -> None:
    whole, *claims = split_claims(sentence)
    assert whole == sentence and len(claims) == parts
    assert all(claim.endswith(".") and claim[0].isupper() for claim in claims)


def test_evidence_is_what_covers_the_claim_in_its_order() -> None:
    sentences = (
        "Cats sleep most of the day.",
        "The cache holds 10 pages.",
        "It is emptied at midnight.",
        "Dogs bark.",
        "The log rotates every hour.",
    )
    assert select_evidence("The cache is emptied at midnight.", sentences)[-1].startswith(
        "The cache holds 10 pages. It is"
    )
    narrow, wide = select_evidence("The log rotates hourly, as the cache is emptied.", sentences)
    assert narrow in sentences and "The log rotates every hour." in wide
    assert select_evidence("Dogs bark.", ("Dogs bark.",)) == ("Dogs bark.",)


@pytest.mark.parametrize(
    ("claim", "evidence", "check"),
    [
        # numbers
        ("The free plan allows 3 projects.", "The free plan allows three projects.", ""),
        ("The limit is 1000000 bytes.", "The limit is 1,000,000 bytes.", ""),
        ("The limit is 1 million bytes.", "The limit is 1,000,000 bytes.", ""),
        ("It waits 2 minutes.", "It waits 120 seconds.", ""),
        ("It takes 1 KB.", "It takes 1024 bytes.", ""),
        ("It costs 12 dollars.", "It costs $12.", ""),
        ("It was 102 over 79.", "It was one hundred two over seventy nine.", ""),
        ("There are two worlds.", "There is Thar, and there is Erath.", ""),
        ("It works on 2 columns.", "It works on more than one column.", "numbers"),
        ("The free plan allows 4 projects.", "The free plan allows three projects.", "numbers"),
        ("Take 500 g of it.", "Take 500 mg of it.", "numbers"),
        ("It waits 5 s.", "It waits 5 ms.", "numbers"),
        ("It costs 12 euros.", "It costs $12.", "numbers"),
        ("It costs $12 per year.", "It costs $12 per month.", "numbers"),
        ("The plan has 5 users.", "The plan has 5 projects and 3 users.", "numbers"),
        ("He lived from 1912 to 1954.", "He lived from 1954 to 1912.", "numbers"),
        ("It needs version 3.11.2.", "It needs version 3.11.4.", "numbers"),
        ("It runs on Windows 10\u00b9 and later.", "Supported on Windows 10\u00b9 and later.", ""),
        ("10\u00b2 of them.", "\u2460 Open 10\u00b2 of them.", ""),
        # names
        ("Use `--force` to go on.", "Pass --force to continue.", ""),
        ("Use --force-all to go on.", "Pass --force to continue.", "names"),
        ("Call read_file first.", "Call read_files first.", ""),
        ("Call write_file first.", "Call read_file first.", "names"),
        ("WAL is faster.", "Write-ahead logging is faster.", ""),
        ("MVCC is faster.", "Write-ahead logging is faster.", "names"),
        ("It was built by Nimbus.", "It was built by its users.", "names"),
        ("The X300 is blue.", "The X200 is blue.", "names"),
        # negation
        ("The server does not cache pages.", "The server caches pages.", "negation"),
        ("The server caches pages.", "The server never caches pages.", "negation"),
        ("The server caches pages.", "The server does not fail when it caches pages.", ""),
        ("It may have an end.", "It may or may not have an end.", ""),
        # edits of a copied sentence
        ("Alice sent the signed report to Bob.", "Bob sent the signed report to Alice.", "edits"),
        ("The cache is enabled by default here.", "The cache is disabled by default here.", "edits"),
        ("Any alias can always be passed to this command.", "Any alias can be passed to this command.", "edits"),
        ("Pages are read by Redis on every start.", "Pages are read by Nginx on every start, unlike Redis.", "edits"),
        ("The cache is emptied for each of them.", "The cache is emptied for every one of them.", ""),
        ("The cache is emptied for every page.", "The cache is emptied for each page.", ""),
        ("The log is not written to the disk.", "The log is always written to the disk.", "negation"),
        ("The log isn't kept after a restart.", "The log is kept after a restart. It cannot be read.", "edits"),
        ("The log cannot be kept on the disk.", "The log can't be kept on the disk.", ""),
        ("It tells whether or not the log is kept.", "It tells whether the log is kept.", ""),
        ("The log is kept unless the disk is full.", "The log is kept if the disk is full.", "edits"),
        ("The log is kept except if the disk is full.", "The log is kept unless the disk is full.", ""),
        ("The log must be kept on the disk.", "The log may be kept on the disk.", "edits"),
        ("The log must be kept on the disk.", "The log needs to be kept on the disk.", ""),
        ("The line feed is not required after a command.", "The line feed is optional after a command.", ""),
        ("The log is unavailable to other users.", "The log is available to other users.", "edits"),
        ("The log is kept for several months there.", "The log is kept for several years there.", "edits"),
        ("The index is stored by the last entry of a block.", "The index stores the last entry of a block.", "edits"),
        ("The index is read by the last process.", "The last process reads the index.", ""),
        ("The log is kept on the disk.", "If the server is told so, the log is kept on the disk.", "edits"),
        ("The log is kept on the disk.", "The log is kept on the disk, unless the disk is full.", "edits"),
        ("On a full disk, the log is kept.", "The log is kept, if on a full disk.", ""),
        (
            "The cache is written to the disk at night.",
            "The log is written to the disk at night. See the cache.",
            "edits",
        ),
        ("The log is written to the disk at night.", "It is written to the disk at night. See the log.", ""),
        ("Tight coupling and loose cohesion is the aim.", "Loose coupling and tight cohesion is the aim.", "edits"),
        ("A request sends the widget key in a header.", "The widget key sends a request in a header.", "edits"),
        # conditions turned round
        ("If the log is kept, the disk is full.", "If the disk is full, the log is kept.", "conditions"),
        ("The log is kept because the disk fills up.", "Because the log is kept, the disk fills up.", "conditions"),
        ("The log is kept if the disk is full.", "If the disk is full, the log is kept.", ""),
        ("Cats and dogs are allowed in the garden.", "Dogs and cats are allowed in the garden.", ""),
        ("SQLite is read by the tool at the start.", "It is read by the tool at the start. So SQLite is.", ""),
    ],
)
def test_checks(claim: str, evidence: str, check: str) -> None:
    assert failed_check(claim, evidence, evidence) == check


def test_long_sentences_are_not_aligned_nor_many_numbers_exchanged() -> None:
    words, numbers = "a b " * 600, " ".join(f"{number} mice," for number in range(480))
    assert not is_altered(words, words) and not is_altered(
        "The cache is enabled here.", f"{words} cache is disabled here."
    )
    assert not misquotes(numbers, numbers)


def test_names_of_the_question_may_be_repeated() -> None:
    claim, text = "The X300 is blue.", "All our models are blue."
    assert failed_check(claim, text, text) == "names"
    assert failed_check(claim, text, f"{text}\nWhat colour is the X300?") == ""


def test_the_least_of_its_claims_supports_a_sentence() -> None:
    class Partly(FakeVerifier):
        def entailment(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
            return [0.2 if claim.startswith("The client") else 0.9 for _, claim in pairs]

    passage = "The server writes a log file. The client sees a log file."
    sentence = "The server writes a log file, and the client reads a log file."
    assert support_of(Partly(), sentence, passage)[0] == 0.2
    assert support_of(Partly(), "The server writes a file.", passage)[0] == 0.9
    assert support_of(Partly(), "The client sees a log file.", passage) == (1.0, "The client sees a log file.")
    assert support_of(Partly(), "Nothing.", "") == (0.0, "")


def test_repeats() -> None:
    secret = "You answer a visitor's question in one or two short sentences."
    assert repeats("Well: you answer a visitor's question IN ONE or so.", secret)
    assert not repeats("You answer in one or two words.", secret)
