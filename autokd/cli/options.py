"""Command-line options made from the settings, so that no option is written down twice."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import click
from click.core import ParameterSource
from pydantic import BeforeValidator

from autokd.config import ENGINE, SearchConfig, shown_default
from autokd.config_checks import MEASURING
from autokd.config_file import read_config_file
from autokd.decide.what_if import CONDITIONS
from autokd.naming import Names, Style, naming
from autokd.runs.folder import Run

Command = Callable[..., Any]
_SOURCES = {
    ParameterSource.COMMANDLINE: "command line",
    ParameterSource.ENVIRONMENT: "environment",
    ParameterSource.DEFAULT_MAP: "file",
}

_STYLES: dict[ParameterSource | None, Style] = {
    ParameterSource.ENVIRONMENT: "variable",
    ParameterSource.DEFAULT_MAP: "key",
}


def settings_options(command: Command) -> Command:
    """Add an option for every setting, and --config."""
    for name in reversed(SearchConfig.model_fields):
        command = _option(name)(command)
    return click.option(
        "--config",
        type=click.Path(path_type=Path),
        is_eager=True,
        expose_value=False,
        callback=_read_file,
        help="TOML file with settings; the command line and the environment take precedence.",
    )(command)


def condition_options(command: Command) -> Command:
    """Add an option for every condition of a verdict; its default is the run's own value."""
    for name in reversed(CONDITIONS):
        command = _option(name, of_run=True)(command)
    return command


def measuring_options(command: Command) -> Command:
    """Add the options that say how models are served and priced where they are measured."""
    for name in reversed(MEASURING):
        command = _option(name)(command)
    return command


def placement_options(command: Command) -> Command:
    """Add the options that say where trainings are placed."""
    for name in reversed(ENGINE):
        command = _option(name, of_run=True)(command)
    return command


def settings(ctx: click.Context, resumed: Path | None = None) -> SearchConfig:
    """The settings of this call: command line > environment > file > default.

    For a resumed run its own settings take the place of the defaults.
    """
    name_as_given(ctx)
    given = {name: value for name in SearchConfig.model_fields if (value := ctx.params.get(name)) is not None}
    return SearchConfig.of(**given) if resumed is None else Run.open(resumed).settings.changed(given)


def name_as_given(ctx: click.Context) -> None:
    """Let all further messages of this call name a setting as it was given: by flag, variable or key."""
    own = {name: style for name in ctx.params if (style := _STYLES.get(ctx.get_parameter_source(name))) is not None}
    ctx.with_resource(naming(Names("flag", own, ctx.auto_envvar_prefix or "")))


def sources(ctx: click.Context) -> dict[str, str]:
    """Where each setting comes from."""
    return {
        name: _SOURCES.get(source, "default") if (source := ctx.get_parameter_source(name)) else "default"
        for name in SearchConfig.model_fields
    }


def _read_file(ctx: click.Context, _: click.Parameter, path: Path | None) -> None:
    if path is not None:
        ctx.default_map = {**(ctx.default_map or {}), **read_config_file(path)}


def _option(name: str, of_run: bool = False) -> Callable[[Command], Command]:
    """`of_run`: what is not given stays as the stored run had it; else it is the default of a search."""
    flag, field = name.replace("_", "-"), SearchConfig.model_fields[name]
    default = "as the run had it" if of_run else shown_default(name)
    meaning = field.description or ""
    help_text = f"{meaning[:1].upper()}{meaning[1:]}." + (f"  [default: {default}]" if default else "")
    written = any(isinstance(each, BeforeValidator) for each in field.metadata)  # as text, which the settings read
    kind = str if written else _plain(field.annotation)
    if kind is bool:
        return click.option(f"--{flag}/--no-{flag}", name, cls=_Option, default=None, help=help_text)
    choices = typing.get_args(kind) if typing.get_origin(kind) is Literal else None
    click_type: Any = click.Choice(choices) if choices else click.Path(path_type=Path) if kind is Path else kind
    metavar = "30m" if written else _metavar(kind, choices)
    return click.option(f"--{flag}", name, cls=_Option, type=click_type, default=None, help=help_text, metavar=metavar)


class _Option(click.Option):
    """Errors about its value name the environment variable where the value is from there."""

    def get_error_hint(self, ctx: click.Context | None) -> str:
        """See click.Option."""
        if ctx is not None and ctx.get_parameter_source(self.name or "") is ParameterSource.ENVIRONMENT:
            return f"'{ctx.auto_envvar_prefix}_{(self.name or '').upper()}'"
        return super().get_error_hint(ctx)


def _plain(annotation: Any) -> Any:
    """`int` of `int | None`."""
    if typing.get_origin(annotation) in (types.UnionType, typing.Union):
        return next(part for part in typing.get_args(annotation) if part is not type(None))
    return annotation


def _metavar(kind: Any, choices: tuple[Any, ...] | None) -> str | None:
    return None if choices else {int: "N", float: "X", str: "NAME", Path: "PATH"}.get(kind)
