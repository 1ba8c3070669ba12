"""A small self-contained page of sentences and tables; and one table as HTML, for a page or a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from autokd.formatting import printable
from autokd.report.table import Table

STYLE = """
:root { color-scheme: light dark; --rule: #d5dbe1; --mark: #e8f1fa; }
@media (prefers-color-scheme: dark) { :root { --rule: #38424d; --mark: #1b2a38; } }
body { max-width: 1100px; margin: 0 auto; padding: 16px; font: 16px/1.5 system-ui, sans-serif; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: 14px; }
th, td { padding: 4px 12px; border-bottom: 1px solid var(--rule); text-align: left; vertical-align: top; }
.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
.name { overflow-wrap: anywhere; min-width: 8em; }
.marked { background: var(--mark); font-weight: 600; }
"""


def tables_page(title: str, sentences: Sequence[str], tables: Sequence[Table]) -> str:
    """The page as text; it makes no request and needs no JavaScript. A table without rows is left out."""
    parts = [f"<p>{escape(sentence)}</p>" for sentence in sentences]
    parts += [f"<h2>{escape(table.name)}</h2>\n{table_html(table)}" for table in tables if table.rows]
    body = "\n".join(parts)
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
    page = f'<!doctype html>\n<html lang="en"><head>{head}<style>{STYLE}</style></head>\n<body><main>'
    return printable(f"{page}<h1>{escape(title)}</h1>\n{body}\n</main></body></html>\n")


def table_html(table: Table) -> str:
    """A table element; every cell is escaped, and marked rows have the class `marked`."""
    kinds = [f' class="{column.kind}"' for column in table.columns]
    labels = [column.label for column in table.columns]
    head = "".join(f'<th scope="col"{kind}>{escape(x)}</th>' for kind, x in zip(kinds, labels, strict=True))
    rows = []
    for place, row in enumerate(table.rows):
        mark = ' class="marked"' if place in table.marked else ""
        cells = "".join(f"<td{kind}>{escape(cell)}</td>" for kind, cell in zip(kinds, row, strict=True))
        rows.append(f"<tr{mark}>{cells}</tr>")
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
