"""Tables as Markdown: a header, a line, a row for each row."""

from itertools import zip_longest

from selectolax.lexbor import LexborNode

from flowchat.ingest.extract.inline import plain_text

MAX_COLUMNS = 60
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
    if not head and (len(body) < 2 or max(map(len, body)) < 2 or _has_long_cell(body)):
        return ""
    if not head:
        head = [body.pop(0)]
    if not body and len(head) == 1 and len(head[0]) == 1:
        return ""
    header = [" ".join(dict.fromkeys(filter(None, column))) for column in zip_longest(*head, fillvalue="")]
    width = max(len(header), *(len(row) for row in body)) if body else len(header)
    lines = ["| " + " | ".join(row + [""] * (width - len(row))) + " |" for row in (header, *body)]
    return "\n".join([lines[0], "|" + " --- |" * width, *lines[1:]])


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
        is_head = not body and (is_head or (bool(cells) and all(cell.tag == "th" for cell in cells)))
        texts = _fill(cells, is_head, pending)
        if is_head or any(texts):
            (head if is_head else body).append(texts)
    return head, body


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
