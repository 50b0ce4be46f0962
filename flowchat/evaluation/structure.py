"""Whether code, headings, tables and lists of pages whose structure is known come back as they were written."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

from flowchat.evaluation.markdown_samples import Sample, samples
from flowchat.evaluation.report import Measure, Options, Report
from flowchat.evaluation.site_shapes import SHAPES, Shape
from flowchat.ingest.extract import read_content
from flowchat.ingest.extract.anchors import settle_anchors
from flowchat.ingest.extract.parse import parse_html

DOCUMENTS = 60  # in each of the shapes
TARGETS = {"code blocks byte-equal": 0.99, "headings with level and anchor": 0.98, "table cells": 0.95}
_LISTS = "lists with their nesting"
_CELL_EDGE = re.compile(r"(?<!\\)\|")
_NOT_IN_SLUG = re.compile(r"[^\w\- ]")


@dataclass(frozen=True, slots=True)
class Found:
    """How many of a kind came back, of how many."""

    equal: int
    of: int


def run(options: Options) -> Report:
    """Markdown documents, rendered as ten kinds of sites render them, against what is read from the pages."""
    documents = samples(DOCUMENTS)
    found: Counter[tuple[str, str]] = Counter()
    total: Counter[tuple[str, str]] = Counter()
    for shape in SHAPES:
        for sample in documents:
            for name, count in compare(sample, shape).items():
                found[name, shape.name] += count.equal
                total[name, shape.name] += count.of
    names = (*TARGETS, _LISTS)
    measures = tuple(_measure(name, found, total) for name in names)
    missed = [
        f"{shape.name}: {found[name, shape.name]} of {total[name, shape.name]} {name}"
        for name in names
        for shape in SHAPES
        if found[name, shape.name] < total[name, shape.name]
    ]
    shapes = ", ".join(shape.name for shape in SHAPES)
    trimming = " and ".join(shape.name for shape in SHAPES if shape.trims_code)
    notes = (
        f"{DOCUMENTS} documents in the shapes of {shapes}.",
        f"Empty lines at the end of code don't reach the pages of {trimming}, and are not expected from them.",
    )
    return Report("Structure", measures, (*notes, *missed))


def _measure(name: str, found: Counter[tuple[str, str]], total: Counter[tuple[str, str]]) -> Measure:
    of = sum(count for (kind, _), count in total.items() if kind == name)
    share = sum(count for (kind, _), count in found.items() if kind == name) / of
    target = TARGETS.get(name)
    if target is None:
        return Measure(f"{name} ({of})", share)
    return Measure(f"{name} ({of})", share, f">= {target:g}", share >= target)


def compare(sample: Sample, shape: Shape) -> dict[str, Found]:
    """What of a document comes back from a page of that shape."""
    html, anchors = render(sample, shape)
    tree = parse_html(html)
    settle_anchors(tree)
    reader = read_content(tree)
    code = [block.text for block in reader.blocks if block.kind == "code"]
    headings = [(heading.level, heading.text, heading.anchor) for heading in reader.outline]
    tables = [_cells(block.text) for block in reader.blocks if block.kind == "table"]
    lists = [block.text for block in reader.blocks if block.kind == "list"]
    wanted_code = [text.rstrip("\n") if shape.trims_code else text for text in sample.code]
    wanted = [(level, text, anchor) for (level, text), anchor in zip(sample.headings, anchors, strict=True)]
    return {
        "code blocks byte-equal": _common(wanted_code, code),
        "headings with level and anchor": _common(wanted, headings),
        "table cells": _common_cells(sample.tables, tables),
        _LISTS: _common(["\n".join(lines) for lines in sample.lists], lists),
    }


def _common(wanted: Sequence[Any], got: Sequence[Any]) -> Found:
    return Found((Counter(wanted) & Counter(got)).total(), len(wanted))


def _common_cells(wanted: list[list[list[str]]], got: list[list[list[str]]]) -> Found:
    equal = 0
    for wanted_table, table in zip(wanted, got, strict=False):
        for wanted_row, row in zip(wanted_table, table, strict=False):
            equal += sum(one == other for one, other in zip(wanted_row, row, strict=False))
    return Found(equal, sum(len(row) for table in wanted for row in table))


def _cells(table: str) -> list[list[str]]:
    lines = table.split("\n")
    rows = [_CELL_EDGE.split(line)[1:-1] for line in (lines[0], *lines[2:])]
    return [[cell.strip().replace("\\|", "|") for cell in row] for row in rows]


def render(sample: Sample, shape: Shape) -> tuple[str, list[str]]:
    """The page, and the anchors of its headings."""
    markdown = MarkdownIt("commonmark").enable("table")
    slugs = _slugs(sample)
    waiting = iter(slugs)
    opened: list[int] = []

    def code(renderer: RendererHTML, tokens: Sequence[Token], number: int, options: Any, env: Any) -> str:
        return shape.code(tokens[number].info.strip(), tokens[number].content)

    def heading(renderer: RendererHTML, tokens: Sequence[Token], number: int, options: Any, env: Any) -> str:
        level = int(tokens[number].tag[1])
        slug = next(waiting)
        inside = renderer.renderInline(tokens[number + 1].children or [], options, env)
        tokens[number + 1].children = []
        return _section(shape, level, slug, opened) + shape.heading(level, inside, slug)

    markdown.add_render_rule("fence", code)
    markdown.add_render_rule("heading_open", heading)
    markdown.add_render_rule("heading_close", lambda *_: "")
    body = markdown.render(sample.markdown) + "</section>" * len(opened)
    return shape.page(sample.headings[0][1], body, slugs), slugs


def _section(shape: Shape, level: int, slug: str, opened: list[int]) -> str:
    """The end tags of the sections that a heading closes, and the start of its own."""
    if not shape.has_sections:
        return ""
    closed = sum(other >= level for other in opened)
    opened[:] = [other for other in opened if other < level] + [level]
    return "</section>" * closed + f'<section id="{slug}">\n'


def _slugs(sample: Sample) -> list[str]:
    """As GitHub makes them: words with hyphens, numbered where they are the same."""
    seen: Counter[str] = Counter()
    slugs: list[str] = []
    for _, text in sample.headings:
        slug = _NOT_IN_SLUG.sub("", text.lower()).replace(" ", "-") or "section"
        slugs.append(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return slugs
