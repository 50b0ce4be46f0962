"""The playground: an answer with everything that led to it, by other settings if wanted. Nothing of it is kept."""

import asyncio
import time
from contextlib import aclosing
from dataclasses import asdict, replace
from typing import Annotated, Any

from msgspec import Meta, Struct

from flowchat.answer.pipeline import Answer, Question
from flowchat.domain import Actor, Event, Mode
from flowchat.errors import NotFound
from flowchat.services import chat, standing
from flowchat.services.access import require
from flowchat.services.answers import ends_of_search, failure_of
from flowchat.services.chat import MAX_QUERY_CHARS, SourceName
from flowchat.services.context import Appliance
from flowchat.services.fields import TEXT_PATTERN, Locale
from flowchat.services.limits import Place, Policy
from flowchat.services.operations import operation
from flowchat.services.runs import Run, Topic
from flowchat.services.trace import Trace
from flowchat.settings import Settings
from flowchat.store import versions

TRACE = "playground.trace"
PER_MINUTE = 30  # of a tenant: nothing else limits these, and they take turns with visitors

Share = Annotated[float, Meta(ge=0, le=1)]


class PlaygroundRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A question, what it is asked of, and by which settings it is answered. null: as the appliance is set."""

    query: Annotated[
        str, Meta(min_length=1, max_length=MAX_QUERY_CHARS, pattern=TEXT_PATTERN, examples=["Do you ship abroad?"])
    ]
    source: Annotated[
        SourceName | Annotated[list[SourceName], Meta(max_length=50)] | None,
        Meta(description="Id or slug of a source, or a list: as a key asks that may ask no other. Left out: all."),
    ] = None
    locale: Annotated[Locale | None, Meta(description="For FlowChat's own texts. Left out: the source's.")] = None
    mode: Mode = "gate"
    lead_quotes: Annotated[
        Annotated[int, Meta(ge=0, le=3)] | None, Meta(description="Sentences that open the answer word for word.")
    ] = None
    refuse_below: Annotated[
        Share | None, Meta(description="How likely the pages must be to answer; below that it is refused.")
    ] = None
    verify_threshold: Annotated[
        Share | None, Meta(description="Entailment probability from which a sentence counts as supported.")
    ] = None


@operation("playground.ask", "read", while_read_only=False)
async def ask(app: Appliance, actor: Actor, request: PlaygroundRequest) -> dict[str, Any]:
    """Ask a question and see how its answer comes about.

    The answer comes with its trace: the candidates with the scores of words, vectors, fusion and reranker, the
    passages of the prompt, and the verdict on each sentence with the text that it was judged by; withheld sentences
    are told, too. It is not billed, counts for no cap, and is neither kept nor taken from memory.

    Raises NotFound for an unknown source, Busy, and FlowChatError `rate_limited`.
    """
    return await chat.collect(await start(app, actor, request))


async def start(app: Appliance, actor: Actor, request: PlaygroundRequest) -> Run:
    """The answer to `ask` while it is made; its trace is an event before the last one. Raises what `ask` raises."""
    require(actor, "read")
    await standing.require_good(app, actor)
    chat.check_going_on(app)
    app.limiter.count([Policy("playground", actor.tenant_id, PER_MINUTE)])
    source_names = chat.source_names(request.source)
    found = await chat.find_sources(app, actor.tenant_id, source_names)
    source_ids = tuple(source.id for source in found)
    question = Question(
        query=request.query.strip(),
        history=(),
        versions=tuple(await versions.live(app.db, source_ids)) if source_ids else (),
        mode=request.mode,
        locale=request.locale or (found[0].locale if found else "en"),
        tenant_id=actor.tenant_id,
        source_ids=source_ids,
        is_tenant_wide=not source_names,
    )
    for source_id in source_ids:
        if source_id in app.revocations:
            raise NotFound("source", source_id, param="source")
    place = app.slots.reserve()
    topic = Topic(key_id=actor.key_id, source_ids=frozenset(source_ids), tenant_id=actor.tenant_id)
    run = app.runs.open(topic, None, "", on_end=place.release)
    app.tried.add(actor.tenant_id)
    run.start(_work(app, run, question, _settings(app.settings, request), place))
    return run


def _settings(settings: Settings, request: PlaygroundRequest) -> Settings:
    """The appliance's, but for what the request says."""
    names = ("lead_quotes", "refuse_below", "verify_threshold")
    told = {name: getattr(request, name) for name in names}
    return replace(settings, **{name: value for name, value in told.items() if value is not None})


async def _work(app: Appliance, run: Run, question: Question, settings: Settings, place: Place) -> None:
    if failure := await failure_of(run, _give(app, run, question, settings, place)):
        run.fail(failure)


async def _give(app: Appliance, run: Run, question: Question, settings: Settings, place: Place) -> None:
    trace, answer = Trace(time.perf_counter), Answer()
    answer.observe = trace.observe
    async with asyncio.timeout(settings.answer_timeout_s):
        async with aclosing(app.answerer.with_settings(settings).answer(question, answer)) as events:
            async for event in events:
                run.publish(event)
                trace.tell(event)
                if event.name in ends_of_search(settings):
                    place.show()
    told = trace.told(question, settings, answer)
    run.publish(Event(TRACE, told))
    run.finish(
        {
            "answer": answer.text,
            "refusal": answer.refusal,
            "reason": answer.reason,
            "citations": [asdict(citation) for citation in answer.citations],
            "suggestions": answer.suggestions,
            "usage": {"tokens_in": answer.tokens_in, "tokens_out": answer.tokens_out},
            "trace": told,
        }
    )
