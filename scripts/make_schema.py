"""Write docs/report.schema.json, the JSON Schema of report.json.

python scripts/make_schema.py

Structure and types are those of the records in autokd/records/. A key is described by its row in docs/run-folder.md, or
by the comment beside its field.
"""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path
from typing import Any

from autokd import records
from autokd.records import Record, Report

ROOT = Path(__file__).parents[1]
SCHEMA = ROOT / "docs" / "report.schema.json"


def schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of what is written as report.json."""
    made = Report.model_json_schema(mode="serialization")
    for name, definition in made["$defs"].items():
        _describe(definition["properties"], _comments(getattr(records, name)))
    _describe(made["properties"], _comments(Report) | _documented())
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "report.json of an autokd run"}
    return made | head


def text() -> str:
    """The content of the file."""
    return json.dumps(schema(), indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def _describe(properties: dict[str, Any], known: dict[str, str]) -> None:
    for name, definition in properties.items():
        definition.pop("title", None)  # its own name again
        if known.get(name):
            definition["description"] = known[name]


def _comments(record: type[Record]) -> dict[str, str]:
    """By field of a record and of those that it extends, the comment behind it."""
    sources = [inspect.getsource(base) for base in reversed(record.__mro__) if issubclass(base, Record)]
    found = [re.match(r"    (\w+): .*?  # (.+)", line) for source in sources for line in source.splitlines()]
    return {match[1]: match[2] for match in found if match}


def _documented() -> dict[str, str]:
    """By key of report.json, what docs/run-folder.md says of it where a row is about that key alone."""
    page = (ROOT / "docs" / "run-folder.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (.+) \|$", page.partition("## report.json")[2], re.MULTILINE)
    return {key: _plain(said) for key, said in rows}


def _plain(said: str) -> str:
    """Without links, and without words about other places of that page."""
    said = re.sub(r"\[([^]]*)]\([^)]*\)", r"\1", said)
    return re.sub(r"(?:^|[,.]? )[Bb]elow$", "", said)


if __name__ == "__main__":
    SCHEMA.write_text(text(), encoding="utf-8")
