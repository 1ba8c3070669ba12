"""autokd cache"""

from __future__ import annotations

from pathlib import Path

import click

cache_dir_option = click.option(
    "--cache-dir", type=click.Path(path_type=Path), help="The cache; by default where a search keeps it."
)


@click.group("cache", epilog="autokd cache list")
def command() -> None:
    """List, verify or prune the cache: soft labels, teachers, students' initial weights and decoded images."""


@command.command("list", short_help="List the entries with size and last use.", epilog="autokd cache list --json")
@cache_dir_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout.")
def list_entries(cache_dir: Path | None, as_json: bool) -> None:
    """List the entries with their size, the time of their last use, and what they belong to."""
    import json

    from autokd.cache.entries import entries
    from autokd.cli import output
    from autokd.config import default_cache_dir

    root = cache_dir or default_cache_dir()
    found = entries(root)
    if as_json:
        click.echo(json.dumps([entry.model_dump() for entry in found], indent=2))
    else:
        output.print_cache(found, root)


@command.command(
    "verify",
    short_help="Compare soft labels with their checksums and their teacher.",
    epilog="autokd cache verify 3f9a --samples 50",
)
@click.argument("keys", nargs=-1, metavar="[KEY]...")
@cache_dir_option
@click.option(
    "--samples",
    type=click.IntRange(0),
    default=8,
    show_default=True,
    metavar="N",
    help="Chunks of each set that the teacher computes again.",
)
@click.option(
    "--tolerance",
    type=click.FloatRange(0, min_open=True),
    metavar="X",
    help="Largest difference allowed, in standard deviations of the logits; "
    "default: 0.01, with float16 0.03, with bfloat16 0.2.",
)
def verify(keys: tuple[str, ...], cache_dir: Path | None, samples: int, tolerance: float | None) -> None:
    """Compare the soft labels KEY with their checksums, and samples of them with the teacher.

    Without a KEY all soft labels are compared. A key may be shortened. Exit code 1 if anything differs.
    """
    from autokd.cli import output
    from autokd.cli.screen import Screen
    from autokd.config import default_cache_dir
    from autokd.errors import CacheError
    from autokd.soft_labels.verify import find_sets, verify_set
    from autokd.training.device import resolve_device

    root = cache_dir or default_cache_dir()
    checks = []
    with Screen() as screen:
        for folder in find_sets(root, keys):
            checks.append(verify_set(folder, resolve_device(None), samples, tolerance, screen))
            output.print_check(checks[-1])
    if bad := [check for check in checks if check.faults]:
        worst = max(bad, key=lambda check: bool(check.wrong))
        fault = (worst.wrong or worst.faults)[0]
        count = sum(len(check.faults) for check in bad)
        more = f" (and {count - 1} more)" if count > 1 else ""
        step = f"remove {root / 'softlabels' / worst.key}" if worst.wrong else "the next search writes it again"
        raise CacheError(f"soft labels {worst.key}: {fault}{more}; {step}")


@command.command(
    "prune",
    short_help="Remove the least recently used entries.",
    epilog="autokd cache prune --older-than 30 --to-gb 50 --dry-run",
)
@cache_dir_option
@click.option("--older-than", type=click.FloatRange(0), metavar="DAYS", help="Remove entries not used for this long.")
@click.option(
    "--to-gb", type=click.FloatRange(0), metavar="X", help="Remove the least recently used entries until X GB are left."
)
@click.option("--all", "everything", is_flag=True, help="Remove everything.")
@click.option("--dry-run", is_flag=True, help="List what would be removed, and remove nothing.")
def prune(
    cache_dir: Path | None, older_than: float | None, to_gb: float | None, everything: bool, dry_run: bool
) -> None:
    """Remove the least recently used entries. An entry that a running process uses stays."""
    from autokd.cache import entries
    from autokd.cli import output
    from autokd.config import default_cache_dir
    from autokd.errors import ConfigError

    if older_than is None and to_gb is None and not everything:
        raise ConfigError("say what to remove: --older-than DAYS, --to-gb X or --all")
    root = cache_dir or default_cache_dir()
    kept = entries.entries(root)
    chosen = entries.superfluous(kept, older_than, None if to_gb is None else to_gb * 1e9, everything)
    gone = chosen if dry_run else entries.prune(chosen, root)
    output.print_pruned(gone, [entry for entry in kept if entry not in gone], dry_run)
