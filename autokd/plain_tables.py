"""A table as aligned text, or as HTML for a page or a notebook."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from html import escape


def text_table(head: Sequence[str], rows: Sequence[Sequence[str]], right: Collection[int] = ()) -> str:
    """Lines of cells, two spaces between columns; `right` are the columns that are flush right."""
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]

    def aligned(column: int, cell: str) -> str:
        return cell.rjust(widths[column]) if column in right else cell.ljust(widths[column])

    return "\n".join("  ".join(aligned(*cell) for cell in enumerate(line)).rstrip() for line in lines)


def html_table(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    kinds: Sequence[str],
    marked: Collection[int] = (),
) -> str:
    """A table element; every cell is escaped. `kinds` are the classes of the columns, `number` among them flush right.

    Rows that are `marked` are bold.
    """
    sides = ["right" if kind == "number" else "left" for kind in kinds]
    classes = [f' class="{kind}" style="text-align: {side}"' for kind, side in zip(kinds, sides, strict=True)]
    heads = "".join(f'<th scope="col"{kind}>{escape(cell)}</th>' for kind, cell in zip(classes, head, strict=True))
    body = []
    for place, row in enumerate(rows):
        mark = ' class="marked" style="font-weight: 600"' if place in marked else ""
        cells = "".join(f"<td{kind}>{escape(cell)}</td>" for kind, cell in zip(classes, row, strict=True))
        body.append(f"<tr{mark}>{cells}</tr>")
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{''.join(body)}</tbody></table>"
