"""The five kinds of work that faults happen to."""

from flowchat.evaluation.faults.billing import billing
from flowchat.evaluation.faults.chat import chatting
from flowchat.evaluation.faults.crawl import crawling
from flowchat.evaluation.faults.index import indexing
from flowchat.evaluation.faults.webhook import delivering
from flowchat.evaluation.faults.work import MakeWork

WORKS: dict[str, MakeWork] = {
    "crawl": crawling,
    "index": indexing,
    "chat": chatting,
    "webhook": delivering,
    "billing": billing,
}
