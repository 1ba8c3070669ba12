"""autokd search"""

from __future__ import annotations

from pathlib import Path

import click

from autokd.cli.options import settings, settings_options, sources
from autokd.cost.repricing import refuse_idle


@click.command("search", epilog="autokd search --teacher resnet152 --max-cost 0.01")
@settings_options
@click.option("--output", type=click.Path(path_type=Path), help="Run folder; by default a new one in reports/.")
@click.option(
    "--resume", is_flag=True, help="Continue the run in --output, or the newest unfinished run with these settings."
)
@click.option("--json", "as_json", is_flag=True, help="Print report.json on stdout.")
@click.option("--print-config", is_flag=True, help="Print every setting with its source, and do nothing.")
@click.pass_context
def command(
    ctx: click.Context, /, output: Path | None, resume: bool, as_json: bool, print_config: bool, **_: object
) -> None:
    """Search for a student of a teacher within a budget, and end with a verdict.

    Exit code 0: a verdict; 3: nothing meets the limits; 130: interrupted, continue with --resume.
    """
    from autokd.cli.output import print_config as print_settings
    from autokd.cli.screen import Screen, polite_interrupt
    from autokd.cli.verdict import print_result

    config = settings(ctx, output if resume and output else None)
    given = [name for name, source in sources(ctx).items() if source == "command line"]
    refuse_idle(given, config.requests_per_month, config.price_per_second is not None)
    if print_config:
        print_settings(config, sources(ctx))
        return
    from autokd.pipeline.search import run_search
    from autokd.pipeline.services import Parts

    with Screen() as screen, polite_interrupt(screen) as stop:
        parts = Parts(is_program=True)
        result = run_search(config, output=output, resume=resume, listener=screen, stop=stop, parts=parts)
    if as_json:
        click.echo(result.report.model_dump_json(indent=2))
    else:
        print_result(result)
    ctx.exit(3 if result.verdict == "none" else 0)
