"""Hashes of the sources of timm that decide how large a model is; found and read without importing timm.

A model is what its own module makes of the modules that this imports, of timm's layers and of timm's shared private
modules. A change to any of them may change a count.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable
from functools import cache
from importlib import util
from pathlib import Path


@cache
def shared_hash() -> str:
    """Of what any model may be built from: timm's layers, the private modules of its models, what they read."""
    root = timm_folder()
    models = root / "models"
    return _hash([*(root / "layers").rglob("*.py"), *models.glob("_*.py"), *models.glob("_pruned/*.txt")], root)


@cache
def family_hash(family: str) -> str:
    """Of the module that defines a family, and of the modules of other families that it builds on."""
    root = timm_folder()
    return _hash([root / "models" / f"{name}.py" for name in _builds_on(family)], root)


def timm_folder() -> Path:
    """Where the installed timm lies."""
    found = util.find_spec("timm")  # finds without importing
    assert found is not None and found.origin is not None  # noqa: S101 - a dependency
    return Path(found.origin).parent


def _builds_on(family: str) -> set[str]:
    """The family and those that its module imports, directly or not; empty where the family has no module."""
    models, found, waiting = timm_folder() / "models", set[str](), [family]
    while waiting:
        name = waiting.pop()
        path = models / f"{name}.py"
        if name not in found and path.is_file():
            found.add(name)
            waiting += _siblings(path.read_text(encoding="utf-8"))
    return found


def _siblings(source: str) -> list[str]:
    """Modules of timm.models that a module of it imports, private ones left out: `shared_hash` has them."""
    names = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            if module.startswith((".", "timm.models")):
                inside = module.removeprefix("timm.models").removeprefix(".")
                names += [inside] if inside else [alias.name for alias in node.names]
    return [name for name in names if not name.startswith("_")]


def _hash(paths: Iterable[Path], root: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]
