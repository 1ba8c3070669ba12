"""A small self-contained page of sentences and tables."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from autokd.formatting import printable
from autokd.plain_tables import html_table
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
.marked { background: var(--mark); }
"""


def tables_page(title: str, sentences: Sequence[str], tables: Sequence[Table]) -> str:
    """The page as text; it makes no request and needs no JavaScript. A table without rows is left out."""
    parts = [f"<p>{escape(sentence)}</p>" for sentence in sentences]
    parts += [f"<h2>{escape(table.name)}</h2>\n{_drawn(table)}" for table in tables if table.rows]
    body = "\n".join(parts)
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
    page = f'<!doctype html>\n<html lang="en"><head>{head}<style>{STYLE}</style></head>\n<body><main>'
    return printable(f"{page}<h1>{escape(title)}</h1>\n{body}\n</main></body></html>\n")


def _drawn(table: Table) -> str:
    labels, kinds = [column.label for column in table.columns], [column.kind for column in table.columns]
    return f'<div class="scroll">{html_table(labels, table.rows, kinds, table.marked)}</div>'
