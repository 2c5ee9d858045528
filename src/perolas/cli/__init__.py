"""The command line. Nothing heavy is imported before a command needs it: `perolas --help` answers at once."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

import click

from perolas._version import __version__
from perolas.cli import guard

# command -> (module, one line for `perolas --help`)
_COMMANDS = {
    "run": ("perolas.cli.study", "Run a study: measurements, steps and claims, and write the report."),
    "audit": ("perolas.cli.audit", "Check whether the numbers that a study states agree with each other."),
    "fit": ("perolas.cli.fit", "Fit one file with one technique."),
    "series": ("perolas.cli.series", "Fit powder patterns of one sample against time, as one batch."),
    "decays": ("perolas.cli.decays", "Fit decays of several samples together: shared rates, traps or losses."),
    "simulate": ("perolas.cli.simulate", "Simulate a measurement and write it to a file."),
    "recipe": ("perolas.cli.recipe", "Print the balance of a recipe: what is limiting, what it gives, what stays."),
    "transform": ("perolas.cli.transform", "Forecast how Cs4PbBr6 turns into CsPbBr3 in water and light."),
    "pump": ("perolas.cli.pump", "Calculate fluence and excitations from power, spot and pulse."),
    "design": ("perolas.cli.design", "Say which further measurement would settle a question best."),
    "lase": ("perolas.cli.lase", "Predict the lasing threshold of a nanocrystal film, with band and budget."),
    "info": ("perolas.cli.lookup", "Show a parameter with its value, conditions and source."),
    "store": ("perolas.cli.store", "Look into the results that a study keeps: ls, show, verify, prune."),
    "formats": ("perolas.cli.lookup", "List the file formats that can be read."),
    "techniques": ("perolas.cli.lookup", "List the techniques and their options."),
    "cite": ("perolas.cli.lookup", "Print the BibTeX of all that a study rests on."),
}


class _Lazy(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the table."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command, or return None where there is none."""
        if cmd_name not in _COMMANDS:
            return None
        command = getattr(import_module(_COMMANDS[cmd_name][0]), cmd_name)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Propose the nearest command for one that does not exist."""
        from difflib import get_close_matches

        if args and args[0] not in _COMMANDS and not args[0].startswith("-"):
            near = get_close_matches(args[0], _COMMANDS, n=1)
            hint = f' (did you mean "{near[0]}"?)' if near else ""
            raise click.UsageError(f'There is no command "{args[0][:60]}"{hint}; see perolas --help.')
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in _COMMANDS.items()])


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="perolas %(version)s")
def commands() -> None:
    """Simulate, measure and test claims about halide-perovskite nanocrystals."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: without the program's name; by default those of the process.

    Returns:
        The exit code: 0 done, 1 a step or fit failed, 2 bad input or wrong use, 3 an error inside perolas,
        130 interrupted.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)

    def command() -> object:
        # Not commands.main(): that would turn a closed pipe into a failure of ours.
        with commands.make_context("perolas", given) as context:
            return commands.invoke(context)

    return guard.guarded(command)
