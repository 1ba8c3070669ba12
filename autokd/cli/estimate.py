"""autokd estimate"""

from __future__ import annotations

import click

from autokd.cli.options import settings, settings_options


@click.command("estimate", epilog="autokd estimate --teacher resnet152 --max-cost 0.01")
@settings_options
@click.option("--json", "as_json", is_flag=True, help="Print the estimate as JSON on stdout.")
@click.pass_context
def command(ctx: click.Context, /, as_json: bool, **_: object) -> None:
    """Estimate the candidates, the work and the cost of a search with these options. Trains nothing."""
    from autokd.cli import output
    from autokd.cli.screen import Screen
    from autokd.pipeline.services import Parts

    config = settings(ctx)
    from autokd.pipeline.estimate import plan_search

    with Screen() as screen:
        estimate = plan_search(config, Parts(is_program=True), screen)
    if as_json:
        click.echo(estimate.model_dump_json(indent=2))
    else:
        output.print_estimate(estimate)
