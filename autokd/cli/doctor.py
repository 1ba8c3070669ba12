"""autokd doctor"""

from __future__ import annotations

from pathlib import Path

import click


@click.command("doctor", epilog="autokd doctor")
@click.option("--cache-dir", type=click.Path(path_type=Path), help="The cache; by default where a search keeps it.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout.")
@click.pass_context
def command(ctx: click.Context, /, cache_dir: Path | None, as_json: bool) -> None:
    """Look at this machine: versions, devices, memory, disk, the hub; then a tiny training on every device.

    Exit code 0: a search can run; 1: it cannot, and the lines that begin with "wrong" say what to do.
    """
    import json

    from autokd.config import default_cache_dir
    from autokd.pipeline.doctor import examine

    found = []
    for check in examine(cache_dir or default_cache_dir()):
        found.append(check)
        if not as_json:
            click.echo(f"{'ok   ' if check.ok else 'wrong'}  {check.name}: {check.text}")
    can_run = all(check.ok for check in found)
    if as_json:
        click.echo(json.dumps({"can_run": can_run, "checks": [check.model_dump() for check in found]}, indent=2))
    else:
        click.echo("A search can run." if can_run else "A search cannot run as it is.")
    ctx.exit(0 if can_run else 1)
