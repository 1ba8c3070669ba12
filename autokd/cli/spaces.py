"""autokd spaces"""

from __future__ import annotations

import click

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout.")


@click.group("spaces", epilog="autokd spaces list")
def command() -> None:
    """List, show or validate search spaces: the students and the recipes that a search tries."""


@command.command("list", short_help="List the shipped spaces.", epilog="autokd spaces list")
@json_option
def list_spaces(as_json: bool) -> None:
    """List the spaces that come with autokd, with their purpose and their number of students."""
    import json

    from autokd.cli import output
    from autokd.tune.space.files import shipped_spaces
    from autokd.tune.space.summary import outline

    found = [outline(name) for name in shipped_spaces()]
    if as_json:
        click.echo(json.dumps([each.model_dump() for each in found], indent=2))
    else:
        output.print_spaces(found)


@command.command("show", short_help="Print the file of a space.", epilog="autokd spaces show mobile > mine.toml")
@click.argument("name")
def show(name: str) -> None:
    """Print the file of the space NAME on stdout, for reading or as a template."""
    from autokd.tune.space.files import space_text

    click.echo(space_text(name), nl=False)


@command.command("validate", short_help="List the errors in a space.", epilog="autokd spaces validate mine.toml")
@click.argument("space", metavar="NAME|FILE")
@json_option
@click.pass_context
def validate(ctx: click.Context, space: str, as_json: bool) -> None:
    """List all errors in a space with their lines. A valid space is summarised: students by family, ranges, losses.

    Exit code 2 if there are errors.
    """
    import json

    from autokd.cli import output
    from autokd.tune.space.files import examine, space_path
    from autokd.tune.space.summary import outline

    problems = examine(space_path(space))[1]
    if as_json:
        click.echo(json.dumps({"problems": problems, **({} if problems else outline(space).model_dump())}, indent=2))
    elif problems:
        for problem in problems:
            click.echo(problem, err=True)
    else:
        output.print_space(outline(space))
    ctx.exit(2 if problems else 0)
