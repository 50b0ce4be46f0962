"""Figures as /metrics tells them."""

from collections import defaultdict

from appliance import operator
from prometheus_client.parser import text_string_to_metric_families

from flowchat.services import keys
from flowchat.services.context import Appliance
from flowchat.services.key_requests import NewOperatorKey


class Figures(defaultdict[str, list[tuple[dict[str, str], float]]]):
    """{name: (labels, value) of each sample}"""

    def value(self, name: str, **labels: str) -> float:
        """Of the one sample that has these labels, whatever others it has."""
        (value,) = [value for told, value in self[name] if labels.items() <= told.items()]
        return value

    def by(self, name: str, *labels: str) -> dict[tuple[str, ...], float]:
        """{values of these labels: value}"""
        return {tuple(told[label] for label in labels): value for told, value in self[name]}


def figures_of(text: str) -> Figures:
    figures = Figures(list)
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            figures[sample.name].append((sample.labels, sample.value))
    return figures


async def operator_key(app: Appliance) -> str:
    _, secret = await keys.create(app, await operator(app), NewOperatorKey())
    return secret
