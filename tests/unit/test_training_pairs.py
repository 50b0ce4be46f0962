"""The pairs that `scripts/train_verifier` makes of documentation and of invented facts."""

import re
from pathlib import Path
from random import Random

import pytest
from _train_verifier import false_edits, rewordings, true_edits
from _train_verifier.copied_pairs import copied_claims
from _train_verifier.documentation_pairs import documentation_pairs, fact_pairs, write_pairs
from _train_verifier.fact_pairs import fact_claims, read_families
from _train_verifier.passages import is_claim, plain, premise_sentences, read_passages
from _train_verifier.written_pairs import written_claims

from flowchat.sentences import split_sentences

PAGE = """<html><body><main><h1>Backups</h1>
<p>The scheduler creates a backup every night. It keeps each backup for 30 days.
If the disk is full, no backup is made on that night.</p>
<p>--keep: Keep all backups. By default, old backups are removed. The restore command reads a backup.</p>
</main></body></html>"""


@pytest.mark.parametrize(
    ("edit", "sentence", "claim"),
    [
        ("negated", "The file is read at startup.", "The file is not read at startup."),
        ("affirmed", "The cache is not shared.", "The cache is shared."),
        ("antonym", "Sorting makes it slower.", "Sorting makes it faster."),
        ("stronger", "It uses several threads.", "It uses two threads."),
        ("unit", "It waits 5 ms.", "It waits 5 seconds."),
        ("exchanged_numbers", "It tries 3 times within 20 seconds.", "It tries 20 times within 3 seconds."),
        ("exchanged_terms", "It calls get() before put().", "It calls put() before get()."),
        ("without_condition", "If --all is given, hidden files are listed too.", "Hidden files are listed too."),
        ("turned_condition", "The job is stopped if it takes long.", "The job is stopped unless it takes long."),
    ],
)
def test_false_edits_change_what_is_said(edit: str, sentence: str, claim: str) -> None:
    made = {getattr(false_edits, edit)(sentence, [], Random(seed)) for seed in range(40)}
    assert claim in made
    assert sentence not in made


@pytest.mark.parametrize(
    ("edit", "sentence", "claim"),
    [
        ("passive", "The scheduler creates a backup.", "A backup is created by the scheduler."),
        ("passive", "The job is started by the worker.", "The worker starts the job."),
        ("addressed", "The index can be rebuilt at any time.", "You can rebuild the index at any time."),
        ("impersonal", "You can stop the server.", "It is possible to stop the server."),
        ("imperative", "Use --all to see hidden files.", "To see hidden files, use --all."),
        ("clauses_reordered", "If it fails, the job is repeated.", "The job is repeated if it fails."),
        ("default", "By default, old backups are removed.", "Unless set otherwise, old backups are removed."),
        ("defined", "The index is a table that speeds up lookups.", "The index speeds up lookups."),
        ("shortened", "It writes a log (see below) to the disk.", "It writes a log to the disk."),
        ("half", "The worker reads the file and writes a long log.", "The worker writes a long log."),
        ("listed", "It reads JSON, XML, and CSV.", "It reads JSON and CSV."),
        ("weaker", "The file is always read.", "The file is read."),
        ("said_in_words", "It waits 60 seconds.", "It waits one minute."),
        ("reworded", "It deletes the file.", "It removes the file."),
    ],
)
def test_true_edits_keep_what_is_said(edit: str, sentence: str, claim: str) -> None:
    made = {getattr(true_edits, edit)(sentence, "", Random(seed)) for seed in range(40)}
    assert claim in made


def test_names_in_a_list_are_not_exchanged() -> None:
    for sentence in ("It takes --all and --deep.", "get() and put() are the same."):
        assert false_edits.exchanged_terms(sentence, [], Random(1)) is None


def test_it_is_told_by_its_name() -> None:
    before = "The scheduler creates a backup."
    made = {true_edits.resolved("It keeps the backup for days.", before, Random(seed)) for seed in range(20)}
    assert "The scheduler keeps the backup for days." in made


def test_a_definition_becomes_a_sentence() -> None:
    assert rewordings.as_statement("-a, --all: Show everything.") == "--all shows everything."
    assert rewordings.as_statement("pop([i]): Removes the last item.") == "pop() removes the last item."
    assert rewordings.as_statement("Nothing is defined here.") == "Nothing is defined here."


def test_families_are_whole_and_their_gaps_known() -> None:
    families = read_families()
    assert len(families) >= 150
    for family in families:
        assert len(family.tellings) >= 2 and len(family.follows) >= 2 and len(family.fails) >= 3, family.tellings[0]
    made = list(fact_claims(1, Random(1)))
    assert not [text for _, _, *texts in made for text in texts if re.search(r"[{}]", text)]
    assert {label for _, label, _, _ in made} == {"entailment", "not_entailment"}


def test_a_page_gives_pairs_of_both_labels_and_always_the_same(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "backups.html").write_text(PAGE)
    passages = [
        p for held in (True, False) for p in read_passages([tmp_path / "docs"], held_out=held, apart_from=frozenset())
    ]
    pairs = documentation_pairs(passages, Random(1), "train")
    assert pairs == documentation_pairs(passages, Random(1), "train")
    assert {pair.label for pair in pairs} == {"entailment", "not_entailment"}
    assert {pair.licence for pair in pairs} == {"FlowChat's own documentation"}
    assert {"documentation_passive", "documentation_antonym"} <= {pair.source for pair in pairs}
    for file in ("one.jsonl.gz", "two.jsonl.gz"):
        write_pairs(tmp_path / file, pairs + fact_pairs(1, Random(1)))
    assert (tmp_path / "one.jsonl.gz").read_bytes() == (tmp_path / "two.jsonl.gz").read_bytes()


def test_every_copy_has_a_false_twin_about_the_same_premise(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(PAGE)
    passages = [p for held in (True, False) for p in read_passages([tmp_path], held_out=held, apart_from=frozenset())]
    made = [pair for seed in range(20) for pair in copied_claims(passages, 3, Random(seed))]
    assert made and len(made) % 2 == 0
    for (premise, claim, label, *_), (other_premise, twin, other_label, *_) in zip(made[::2], made[1::2], strict=True):
        assert (label, other_label) == ("entailment", "not_entailment")
        assert premise == other_premise and claim != twin and twin not in premise
    assert any(claim in premise for premise, claim, *_ in made)


def test_written_claims_are_whole_and_about_no_tested_text() -> None:
    tested = premise_sentences(sorted((Path(__file__).parents[1] / "data/verifier").glob("*.jsonl")))
    claims = list(written_claims())
    assert len(claims) == len({(premise, claim) for premise, claim, *_ in claims}) > 800
    assert all(len(premise) > 60 and len(claim) > 12 and licence for premise, claim, _, _, licence in claims)
    sentences = {plain(text) for premise, *_ in claims for text in split_sentences(premise)}
    assert sentences.isdisjoint(tested)


def test_what_is_tested_with_is_not_trained_on(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(PAGE)
    tested = tmp_path / "tested.jsonl"
    tested.write_text('{"premise": "It keeps each backup for 30 days!", "hypothesis": "", "label": ""}\n')
    apart_from = premise_sentences([tested])
    assert apart_from == {plain("It keeps each backup for 30 days.")}
    for held_out in (True, False):
        assert list(read_passages([tmp_path], held_out=held_out, apart_from=apart_from)) == []


def test_fragments_and_pointers_are_no_claims() -> None:
    assert is_claim("The scheduler creates a backup every night.")
    assert not is_claim("See the next section for more about backups.")
    assert not is_claim("A backup is made every night, which.")
    assert not is_claim("Backups every night")
