"""The command line. Commands are imported when they are called, so help answers at once."""

from __future__ import annotations

import importlib
import os
import sys
import traceback

import click

from autokd.errors import AutokdError
from autokd.machine import keep_to_own_cores, let_waiting_threads_sleep
from autokd.naming import Names, naming

DEBUG = "AUTOKD_DEBUG"  # set: an error comes with its traceback
COMMANDS = {
    "search": "Search for a student and end with a verdict.",
    "estimate": "Estimate the work and cost of a search; train nothing.",
    "students": "List students of a teacher with ratio, parameters and MACs.",
    "spaces": "List, show or validate search spaces.",
    "prices": "List or show the prices of machines.",
    "measure": "Measure on the serving host what models cost, for search --costs and decide --costs.",
    "decide": "Decide again from a run's evidence, under other conditions.",
    "confirm": "Add seeds to the finalists of a run and decide again.",
    "compare": "Show finished runs side by side.",
    "report": "Render the report of a run again.",
    "export": "Write a student of a run as a timm folder or an ONNX file.",
    "cache": "List, verify or prune the cache.",
    "doctor": "Look at this machine: versions, devices, memory, disk, a tiny training.",
}


class _Commands(click.Group):
    """Imports only the command that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"autokd.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _debug(ctx: click.Context, option: click.Parameter, asked: bool) -> None:  # noqa: ARG001 - click's arguments
    if asked:
        os.environ[DEBUG] = "1"


@click.group(
    cls=_Commands,
    context_settings={"auto_envvar_prefix": "AUTOKD", "help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="autokd search --teacher resnet152 --max-cost 0.01",
)
@click.version_option(package_name="autokd")
@click.option("--debug", is_flag=True, expose_value=False, callback=_debug, help="Show where an error comes from.")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Distill a smaller model, train a small one directly, or keep the teacher?

    Searches timm students within a budget of dollars per 1,000 requests and answers with evidence.
    """
    ctx.with_resource(naming(Names("flag")))


def main() -> None:
    """Entry point; an error that the user can fix is one sentence on stderr."""
    keep_to_own_cores()
    let_waiting_threads_sleep()
    try:
        sys.exit(cli.main(standalone_mode=False))
    except AutokdError as error:
        _show_traceback()
        click.echo(f"autokd: {error}", err=True)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        click.echo("autokd: stopped at once; finished work is saved, continue with --resume", err=True)
        sys.stderr.flush()
        os._exit(130)  # worker threads may still be in the middle of an epoch
    except BrokenPipeError:  # the reader has read enough: `autokd spaces show mobile | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:  # noqa: BLE001 - the last resort
        from autokd.cli.last_resort import sentence

        _show_traceback()
        with naming(Names("flag")):
            click.echo(f"autokd: {sentence(error)}", err=True)
        sys.exit(1)


def _show_traceback() -> None:
    if os.environ.get(DEBUG, "") not in ("", "0"):
        traceback.print_exc()
