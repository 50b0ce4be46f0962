"""Questions that the sources don't answer, grouped: what to write about next."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Annotated

import numpy as np
from msgspec import Meta

from flowchat.answer.curated import Matcher
from flowchat.domain import Actor
from flowchat.engines.protocols import Vectors, Verifier
from flowchat.services.context import Appliance
from flowchat.services.lists import Listed, ListRequest
from flowchat.services.operations import operation
from flowchat.store import curated_answers, unanswered
from flowchat.store.curated_answers import Candidates
from flowchat.store.unanswered import Question, Unanswered

MAX_NEWEST = 2000
MIN_COSINE = 0.85  # of two questions in a group; measured as in answer.curated
EXAMPLES = 5


class UnansweredRequest(ListRequest, frozen=True, kw_only=True):
    """Which groups are wanted, and of how many questions."""

    newest: Annotated[
        int, Meta(ge=1, le=MAX_NEWEST, description="So many of the newest refused questions are grouped.")
    ] = MAX_NEWEST


@dataclass(frozen=True, slots=True)
class QuestionGroup:
    """Questions like one of them, the representative. `questions` are all of them, newest first."""

    representative: Question
    vector: Vectors
    questions: list[Question]


@operation("questions.unanswered", "read")
async def list_unanswered(app: Appliance, actor: Actor, request: UnansweredRequest) -> Listed[QuestionGroup]:
    """List what was asked and not answered, as groups of similar questions, largest first.

    The newest 2,000 refused questions count, or fewer if so asked. Those that a curated answer covers by now are left
    out. An item's id is that of a message.
    """
    embedder = app.engines.embedder
    asked = await unanswered.newest(app.db, actor.tenant_id, embedder.name, embedder.dims, request.newest)
    curated = await curated_answers.of_tenant(app.db, actor.tenant_id, embedder.name, embedder.dims)
    return await asyncio.to_thread(_page, asked, app.engines.verifier, curated, request)


def group(asked: Unanswered) -> list[QuestionGroup]:
    """Around the question that most others are near to, then around the next such one of the rest. Largest first."""
    near = asked.vectors @ asked.vectors.T >= MIN_COSINE
    is_free = np.ones(len(asked.questions), bool)
    groups = []
    for centre in map(int, np.argsort(-near.sum(axis=1), kind="stable")):
        if is_free[centre]:
            members = np.flatnonzero(near[centre] & is_free)
            is_free[members] = False
            questions = [asked.questions[member] for member in map(int, members)]
            groups.append(QuestionGroup(asked.questions[centre], asked.vectors[centre], questions))
    return sorted(groups, key=lambda group: (len(group.questions), group.questions[0].message_id), reverse=True)


def _page(asked: Unanswered, verifier: Verifier, curated: Candidates, request: ListRequest) -> Listed[QuestionGroup]:
    """Only groups of this page are compared with curated answers. A cursor's message may have changed its group."""
    matcher = Matcher(verifier, curated)
    groups = group(asked)
    places = {question.message_id: place for place, one in enumerate(groups) for question in one.questions}
    start = places.get(request.starting_after, len(groups)) + 1 if request.starting_after else 0
    end = places.get(request.ending_before, 0) if request.ending_before else len(groups)
    between = groups[start:end]
    is_backwards = bool(request.ending_before) and not request.starting_after
    walk: Iterable[QuestionGroup] = reversed(between) if is_backwards else between
    open_groups = (one for one in walk if matcher.find((one.representative.query,), one.vector) is None)
    found = list(islice(open_groups, request.limit + 1))
    shown = found[: request.limit]
    return Listed(shown[::-1] if is_backwards else shown, len(found) > request.limit)
