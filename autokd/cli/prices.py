"""autokd prices"""

from __future__ import annotations

from pathlib import Path

import click

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout.")
own_option = click.option(
    "--prices", "own", type=click.Path(path_type=Path), help="TOML file of your own prices, which come first."
)


@click.group("prices", epilog="autokd prices list")
def command() -> None:
    """List or show the prices of machines that costs are computed with."""


@command.command("list", short_help="List the prices.", epilog="autokd prices list --provider AWS")
@click.option("--provider", metavar="P", help="Only the machines of this provider.")
@own_option
@json_option
def list_prices(provider: str | None, own: Path | None, as_json: bool) -> None:
    """List the machines of the price table with their hardware and US dollars per hour of the whole machine."""
    import json
    from dataclasses import asdict

    from autokd.cli import output
    from autokd.cost.price_table import of_provider, prices

    rows = of_provider(prices(own), provider)
    if as_json:
        click.echo(json.dumps([asdict(row) for row in rows], indent=2))
    else:
        output.print_prices(rows)


@command.command("show", short_help="Show one price with its source.", epilog="autokd prices show c7i.large")
@click.argument("instance")
@own_option
@json_option
def show(instance: str, own: Path | None, as_json: bool) -> None:
    """Show all that the price table holds about one machine: price, hardware, source and date."""
    import json
    from dataclasses import asdict

    from autokd.cli import output
    from autokd.cost.price_table import price_of, prices

    row = price_of(instance, prices(own), setting=None)
    if as_json:
        click.echo(json.dumps(asdict(row), indent=2))
    else:
        output.print_price(row)
