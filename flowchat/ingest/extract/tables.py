"""Tables as Markdown: a header, a line, a row for each row. A table without a header has an empty one."""

from itertools import zip_longest

from selectolax.lexbor import LexborNode

from flowchat.ingest.extract.inline import is_short_and_bold, plain_text

MAX_COLUMNS = 60
_MAX_NAME_CHARS = 40  # of a column's name, in a header that is none by its markup
_MIN_FIGURES = 0.8  # of a column's cells, so that a first row without figures is its name
_MAX_CELL_CHARS = 2000  # a longer one without a header is a column of a page's layout
_SECTIONS = "h1,h2,h3,h4,h5,h6,pre"
_SECTIONS_WITHOUT_HEADER = "td ul,td ol,td dl,td p + p"

Row = list[str]


def read_table(table: LexborNode) -> str:
    """The table in Markdown; '' for one that arranges a page rather than shows data.

    A cell over several rows stands in each of them; one over several columns stands in the first, and in a header in
    all of them.
    """
    if _is_arrangement(table):
        return ""
    head, body = _rows(table)
    if not head and (len(body) < 2 or _has_long_cell(body)):
        return ""
    if not head and _is_header(table, body):
        head = [body.pop(0)]
    header = [" ".join(dict.fromkeys(filter(None, column))) for column in zip_longest(*head, fillvalue="")]
    columns = [column for column in zip_longest(header, *body, fillvalue="") if any(column)]
    if len(columns) < 2:
        return ""
    lines = ["| " + " | ".join(row) + " |" for row in zip(*columns, strict=True)]
    return "\n".join([lines[0], "|" + " --- |" * len(columns), *lines[1:]])


def _is_header(table: LexborNode, body: list[Row]) -> bool:
    """Whether the first row names the columns although its markup doesn't say so.

    It does where all of it is bold, or where it has no figures and the cells below a name nearly all have some. Where
    rows begin with a heading of their own, each row is a fact for itself.
    """
    first, *others = body
    cells = [cell for cell in _row_nodes(table)[0][0].iter() if cell.tag in ("td", "th")]
    if any(cell.tag == "th" for cell in cells) or not all(0 < len(name) <= _MAX_NAME_CHARS for name in first):
        return False
    if cells and all(is_short_and_bold(cell) for cell in cells):
        return True
    if any(map(_has_figure, first)):
        return False
    below = [[_has_figure(row[number]) for row in others if number < len(row)] for number in range(len(first))]
    return any(len(figures) > 1 and sum(figures) >= _MIN_FIGURES * len(figures) for figures in below)


def _has_figure(text: str) -> bool:
    return any(map(str.isdigit, text))


def _is_arrangement(table: LexborNode) -> bool:
    if table.attributes.get("role") in ("presentation", "none") or table.css_first(_SECTIONS) is not None:
        return True
    if len(table.css("table")) > 1:  # itself, and one in a cell
        return True
    return table.css_first(_SECTIONS_WITHOUT_HEADER) is not None and table.css_first("th") is None


def _rows(table: LexborNode) -> tuple[list[Row], list[Row]]:
    """Header rows and the others, cells over several rows or columns filled in."""
    head: list[Row] = []
    body: list[Row] = []
    pending: dict[int, tuple[int, str]] = {}  # column -> rows that its cell still goes over, and its text
    for row, is_head in _row_nodes(table):
        cells = [cell for cell in row.iter() if cell.tag in ("td", "th")]
        is_head = not body and (is_head or _names_columns(cells))
        texts = _fill(cells, is_head, pending)
        if is_head or any(texts):
            (head if is_head else body).append(texts)
    return head, body


def _names_columns(cells: list[LexborNode]) -> bool:
    """Whether all are headings, but for an empty corner."""
    if not cells:
        return False
    corner, *others = cells
    is_corner = bool(others) and not corner.text(strip=True)
    return (corner.tag == "th" or is_corner) and all(cell.tag == "th" for cell in others)


def _row_nodes(table: LexborNode) -> list[tuple[LexborNode, bool]]:
    rows: list[tuple[LexborNode, bool]] = []
    for part in table.iter():
        if part.tag == "tr":
            rows.append((part, False))
        elif part.tag in ("thead", "tbody", "tfoot"):
            rows.extend((row, part.tag == "thead") for row in part.iter() if row.tag == "tr")
    return rows


def _fill(cells: list[LexborNode], is_head: bool, pending: dict[int, tuple[int, str]]) -> Row:
    texts: Row = []
    for cell in cells:
        _take_pending(texts, pending)
        if len(texts) >= MAX_COLUMNS:
            break
        text = plain_text(cell).replace("|", "\\|")
        attributes = cell.attributes
        columns = min(_span(attributes, "colspan"), MAX_COLUMNS - len(texts))
        rows = _span(attributes, "rowspan")
        for number in range(columns):
            shown = text if is_head or number == 0 else ""
            if rows > 1:
                pending[len(texts)] = (rows - 1, shown)
            texts.append(shown)
    _take_pending(texts, pending)
    return texts


def _take_pending(texts: Row, pending: dict[int, tuple[int, str]]) -> None:
    while (column := len(texts)) in pending:
        rows, text = pending.pop(column)
        texts.append(text)
        if rows > 1:
            pending[column] = (rows - 1, text)


def _span(attributes: dict[str, str | None], name: str) -> int:
    value = (attributes.get(name) or "").strip()
    return max(1, int(value)) if value.isdecimal() and len(value) <= 5 else 1


def _has_long_cell(rows: list[Row]) -> bool:
    return any(len(cell) > _MAX_CELL_CHARS for row in rows for cell in row)
