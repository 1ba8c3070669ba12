"""autokd estimate"""

from __future__ import annotations

import click

from autokd.cli.options import settings, settings_options


@click.command("estimate", epilog="autokd estimate --teacher resnet152 --max-cost 0.01")
@settings_options
@click.option("--json", "as_json", is_flag=True, help="Print the estimate as JSON on stdout.")
@click.pass_context
def command(ctx: click.Context, /, as_json: bool, **_: object) -> None:
    """Say what a search with these options would try, do and cost. Trains nothing."""
    from autokd.cli import terminal
    from autokd.parts import Parts

    config = settings(ctx)
    from autokd.planning import plan_search

    with terminal.Screen() as screen:
        estimate = plan_search(config, Parts(), screen)
    if as_json:
        click.echo(estimate.model_dump_json(indent=2))
    else:
        terminal.print_estimate(estimate)
