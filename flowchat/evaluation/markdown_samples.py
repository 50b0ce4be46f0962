"""Markdown documents whose structure is known: headings, code with odd bytes, tables, lists."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

_WORDS = (
    "install server cache token request index page model query batch schema worker value setting result version module "
    "file path network limit retry signal stream buffer handle stage record event answer naïve größe 日本語"
).split()
_HEADING_FORMS: tuple[tuple[str, str], ...] = (  # Markdown, and the text it stands for
    ("{0} {1}", "{0} {1}"),
    ("`{0}()`", "{0}()"),
    ("The `--{0}` option", "The --{0} option"),
    ("What's {0}?", "What's {0}?"),
    ("{0} & {1}", "{0} & {1}"),
    ("*{0}* **{1}**", "{0} {1}"),
    ("C# and C++ {0}", "C# and C++ {0}"),
    ("1.2. {0}_{1}", "1.2. {0}_{1}"),
    ("[{0}](https://example.org/{1}) {1}", "{0} {1}"),
    ("{0}: {1} <3", "{0}: {1} <3"),
)
_CODE: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "python",
        ("def {0}({1}, *args):", '    return f"{{{0}!r}}" if {1} < 3 else None', "", "\t# {0} -> {1}", "x = a & b"),
    ),
    ("bash", ("$ {0} --{1}=\"$HOME\" | grep '^{0}' && echo `date`", "{0} \\", "    --{1} 2>&1", "# {0}", "")),
    ("html", ('<div class="{0}">', "  &lt;{1}&gt; &amp;amp; &nbsp;", "</div>", "<!-- {0} -->", "")),
    ("javascript", ("const {0} = ({1}) => `${{{1}}}`;", "if (a<b && c>d) {{ /* {0} */ }}", "", "  // 日本語 {0} 🎉")),
    ("json", ('{{"{0}": ["{1}", null, 1e-3],', ' "path": "C:\\\\{0}\\n"}}', "")),
    ("sql", ("SELECT {0}, count(*) FROM {1}", " WHERE {0} <> '{1}' -- {0}", "", ";")),
    ("c", ("#include <{0}.h>", "int {0}(char **{1}) {{", "\treturn {1}[0] << 2;", "}}", "")),
    ("makefile", ("{0}: {1}.o", "\t$(CC) -o $@ $<   ", "", "\t@echo {0}")),
    ("diff", ("--- a/{0}", "+++ b/{1}", "@@ -1,3 +1,4 @@", " {0}", "-{1}", "+{1} ", "")),
    ("", ("{0}    {1}", "  {0}  ", "", "+-----+", "| {0} |", "1", "2")),
    ("markdown", ("# {0}", "", "```python", "print({1})", "```", "* {0}", "<br>")),
    ("yaml", ("{0}:", "  - {1}: >-", "      {0} {1}", "  # 1", "---", "")),
)
_CELLS: tuple[tuple[str, str], ...] = (
    ("{0}", "{0}"),
    ("`{0}`", "{0}"),
    ("`{0} \\| {1}`", "{0} | {1}"),
    ("{0} \\| {1}", "{0} | {1}"),
    ("", ""),
    ("[{0}](https://example.org/{1}#x)", "{0}"),
    ("**{0}** {1}", "{0} {1}"),
    ("{0} & <{1}>", "{0} & <{1}>"),
    ("3.14", "3.14"),
    ("`a  b` {0}", "a b {0}"),
)


@dataclass(slots=True)
class Sample:
    """A document and what it consists of. Code is without its final newline; tables are rows of cells."""

    markdown: str = ""
    headings: list[tuple[int, str]] = field(default_factory=list)
    code: list[str] = field(default_factory=list)
    tables: list[list[list[str]]] = field(default_factory=list)
    lists: list[list[str]] = field(default_factory=list)


def samples(number: int) -> list[Sample]:
    """That many documents, the same ones every time."""
    return [_Writer(random.Random(seed)).document() for seed in range(number)]  # noqa: S311 (no secret)


class _Writer:
    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._sample = Sample()
        self._parts: list[str] = []

    def document(self) -> Sample:
        self._heading(1)
        self._paragraph()
        level = 1
        for _ in range(self._chance.randint(4, 10)):
            level = self._chance.randint(2, min(level + 1, 6))
            self._heading(level)
            self._paragraph()
            for _ in range(self._chance.randint(1, 3)):
                self._chance.choice(self._parts_to_write())()
                self._paragraph()
        self._sample.markdown = "\n\n".join(self._parts) + "\n"
        return self._sample

    def _parts_to_write(self) -> tuple[Callable[[], None], ...]:
        return (self._code, self._code, self._code_in_list, self._table, self._list)

    def _filled(self, form: tuple[str, str]) -> tuple[str, str]:
        words = self._chance.sample(_WORDS, 2)
        return form[0].format(*words), form[1].format(*words)

    def _heading(self, level: int) -> None:
        markdown, text = self._filled(self._chance.choice(_HEADING_FORMS))
        self._parts.append(f"{'#' * level} {markdown}".replace("<3", "&lt;3"))
        self._sample.headings.append((level, text))

    def _paragraph(self) -> None:
        """Long enough that the page's main part is plainly text."""
        sentences = (" ".join(self._chance.choices(_WORDS, k=9)).capitalize() for _ in range(3))
        self._parts.append(". ".join(sentences) + ".")

    def _lines_of_code(self) -> tuple[str, list[str]]:
        language, forms = self._chance.choice(_CODE)
        words = self._chance.sample(_WORDS, 2)
        lines = [form.format(*words) for form in self._chance.choices(forms, k=self._chance.randint(1, 12))]
        if self._chance.random() < 0.1:
            lines = ["", *lines]
        if self._chance.random() < 0.1:
            lines = [*lines, "", ""]
        return language, lines if any(map(str.strip, lines)) else [words[0]]

    def _code(self) -> None:
        language, lines = self._lines_of_code()
        fence = self._chance.choice(("~~~~", "````"))
        self._parts.append("\n".join((fence + language, *lines, fence)))
        self._sample.code.append("\n".join(lines))

    def _code_in_list(self) -> None:
        language, lines = self._lines_of_code()
        indented = (f"   {line}" if line.strip() else line for line in ("````" + language, *lines, "````"))
        words = self._chance.sample(_WORDS, 2)
        self._parts.append("\n".join((f"1. First {words[0]}:", "", *indented, "", f"2. Then {words[1]}.")))
        self._sample.code.append("\n".join(line if line.strip() else line[3:] for line in lines))

    def _table(self) -> None:
        width = self._chance.randint(2, 5)
        rows = [[self._filled(self._chance.choice(_CELLS)) for _ in range(width)] for _ in range(5)]
        for row in rows:
            row[0] = self._filled(_CELLS[0])
        line = "|".join(self._chance.choice((" --- ", " :-- ", " --: ", " :-: ")) for _ in range(width))
        written = ["| " + " | ".join(markdown.replace("<", "\\<") for markdown, _ in row) + " |" for row in rows]
        self._parts.append("\n".join((written[0], f"|{line}|", *written[1:])))
        self._sample.tables.append([[text for _, text in row] for row in rows])

    def _list(self) -> None:
        """Nested to three levels, some of them numbered."""
        written: list[str] = []
        expected: list[str] = []
        self._items(written, expected, 0, 0)
        self._parts.append("\n".join(written))
        self._sample.lists.append(expected)

    def _items(self, written: list[str], expected: list[str], depth: int, indent: int) -> None:
        is_numbered = self._chance.random() < 0.3
        for number in range(1, self._chance.randint(2, 4)):
            marker = f"{number}. " if is_numbered else "- "
            markdown, text = self._filled(self._chance.choice((("{0} `{1}`", "{0} {1}"), ("**{0}**: {1}", "{0}: {1}"))))
            written.append(" " * indent + marker + markdown)
            expected.append("  " * depth + marker + text)
            if depth < 2 and self._chance.random() < 0.4:
                self._items(written, expected, depth + 1, indent + len(marker))
