"""The picture of the house in CONTRIBUTING.md is that of the layer contract."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def _contract() -> list[set[str]]:
    """Rooms of every floor, from the top one down, as import-linter is told."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    layers = settings["tool"]["importlinter"]["contracts"][0]["layers"]
    return [{room.strip().removeprefix("autokd.") for room in layer.split("|")} for layer in layers]


def _picture() -> list[str]:
    """All rooms that the picture shows, in its order."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    drawn = text.partition("```text\n")[2].partition("```")[0]
    return [room for line in drawn.splitlines() for room in line.partition(":")[0].split(", ")]


def test_the_picture_shows_the_floors_of_the_contract_in_their_order() -> None:
    drawn = _picture()
    for floor in _contract():
        shown, drawn = set(drawn[: len(floor)]), drawn[len(floor) :]
        assert shown == floor
    assert drawn == []


def test_every_room_and_loose_file_of_the_package_stands_on_a_floor() -> None:
    package = ROOT / "autokd"
    rooms = {path.parent.name for path in package.glob("*/__init__.py")}
    files = {path.stem for path in package.glob("*.py")} - {"__init__", "__main__"}
    assert rooms | files == set().union(*_contract())
