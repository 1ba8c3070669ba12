"""Files of search spaces: where they are, and what is wrong with one, by line."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from autokd.config_file import read_toml
from autokd.errors import SpaceError
from autokd.files import is_file
from autokd.tune.space.base import Source, located, resolved, source_of, with_bases
from autokd.tune.space.checks import contradictions, misfits, strangers
from autokd.tune.space.schema import Students
from autokd.tune.space.space import Space
from autokd.tune.space.students import named_students
from autokd.tune.space.toml_lines import Lines, Problem


def space_folder() -> Path:
    """search_spaces/, inside the installed package, or next to it in a source checkout."""
    package = Path(__file__).parents[2]
    return next((p for p in (package / "search_spaces", package.parent / "search_spaces") if p.is_dir()), package)


def shipped_spaces() -> list[str]:
    """Names of the spaces that come with autokd."""
    return sorted(path.stem for path in space_folder().glob("*.toml"))


def space_path(name: str, folder: Path | None = None) -> Path:
    """The file of the space called `name`, or the file `name`, from `folder`; raises SpaceError where it is neither."""
    path = space_folder() / f"{name}.toml" if name in shipped_spaces() else (folder or Path()) / name
    if not is_file(path):
        known = ", ".join(shipped_spaces())
        raise SpaceError(f"the search space {name} is neither a file nor one of {known}; name one of these")
    return path


def read_space(name: str) -> Space:
    """The space called `name`, or in the TOML file `name`; raises SpaceError with file, line and remedy."""
    path = space_path(name)
    space, problems = examine(path)
    if space is None or problems:
        more = f" (and {len(problems) - 1} more: autokd spaces validate {name})" if len(problems) > 1 else ""
        raise SpaceError(problems[0] + more)
    return space


def space_text(name: str) -> str:
    """The text of the space called `name`, or of the file `name`.

    Raises SpaceError, which tells nothing of its content, for a file that is not TOML or has keys that no space has.
    """
    path = space_path(name)
    try:
        source = _read(name, path)
    except SpaceError:
        raise SpaceError(
            f"{path} is not a search space, so it is not shown; `autokd spaces validate` says where it is not TOML"
        ) from None
    if not source.content or set(source.content) - {*Space.model_fields, "base"}:
        raise SpaceError(
            f"{path} is not a search space, so it is not shown; `autokd spaces validate` says which of its keys "
            "no space has"
        )
    return source.text


def examine(path: Path) -> tuple[Space | None, list[str]]:
    """What a file says with its bases, None where it cannot be read, and all that is wrong with it, by line."""
    try:
        sources = with_bases(str(path), path, _read, space_path)
    except SpaceError as error:
        return None, [str(error)]
    space, problems = _understood(resolved(sources))
    return space, [text for _, text in sorted((_told(problem, sources) for problem in problems), key=lambda t: t[0])]


def _read(name: str, path: Path) -> Source:
    try:
        text, content = read_toml(path)
    except RecursionError:
        raise SpaceError(f"{path} is nested too deep to be a search space; name another file") from None
    except UnicodeDecodeError as error:
        raise SpaceError(f"{path} cannot be read ({error.reason}); save it as UTF-8 text") from None
    except ValueError as error:
        line = re.search(r"\(at line (\d+), column \d+\)", str(error))
        reason = str(error).partition(" (at ")[0]
        raise SpaceError(located(path, int(line[1]) if line else None, f"this is not valid TOML: {reason}")) from None
    except OSError as error:
        raise SpaceError(f"{path} cannot be read ({error.strerror}); name another file") from None
    return Source(name, path, content, Lines(text, content), text)


def _understood(content: Mapping[str, Any]) -> tuple[Space | None, list[Problem]]:
    try:
        space = Space.model_validate(content)
    except ValidationError as error:
        problems = misfits(error, Space)
        if not any(problem.place[0] == "students" for problem in problems):
            problems += named_students(Students.model_validate(content["students"]))[1]
        return None, problems
    names, unknown = named_students(space.students)
    return space, [*contradictions(space), *(unknown or strangers(space, names))]


def _told(problem: Problem, sources: Sequence[Source]) -> tuple[tuple[int, int], str]:
    """A problem as a sentence, to be sorted by its line; what the base says counts for the line that names the base."""
    own, source = sources[0], source_of(problem.place, sources)
    line = source.lines.of(problem.place)
    if source is own:
        return (line or 0, 0), located(own.path, line, problem.text)
    where = f"its base {source.name} says on line {line}: " if line else f"its base {source.name} says: "
    remedy = "; or write your own [[first]], which replace those of the base" if problem.place[0] == "first" else ""
    return (own.line_of_base or 0, line or 0), own.at_base(where + problem.text + remedy)
