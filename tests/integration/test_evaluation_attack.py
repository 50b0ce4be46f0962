"""`flowchat eval attack`, in small: the same attackers and visitors against an appliance with a scripted answerer."""

from pathlib import Path

from web_server import QUESTION, serving, two_sentences

from flowchat.evaluation.attack import Amounts, Attacked, Targets, measure

FEW = Amounts(idle=12, stalled=4, abort=30, slow_head=8, slow_body=4, large=8, seconds=2.0)
ANY = Targets(memory_mb=1e6, slowdown=1e6, lag_ms=1e6)  # a busy machine: only what is counted has to be right


async def test_all_attacks_end_and_visitors_get_their_answers(tmp_path: Path) -> None:
    async with serving(tmp_path, questions_per_minute=0, calls_per_minute=0) as served:
        answerer = served.answerer

        def go_on() -> None:
            answerer.script = two_sentences

        question = QUESTION["query"]
        attacked = Attacked(served.app.settings.port, served.key, [], answerer.hold_back, go_on, question, (question,))
        report = await measure(attacked, FEW, ANY)
    missed = [measure for measure in report.measures if measure.ok is False]
    assert missed == []
    assert len([measure for measure in report.measures if "descriptors left" in measure.name]) == 6
    assert any("12 idle stream readers: reads: 12, still open: 12" in note for note in report.notes)
    assert any("8 large bodies by nobody: 401: 8" in note for note in report.notes)
