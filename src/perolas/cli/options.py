"""Options of a technique as options of a command, made from the registry's table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click

from perolas.measurements.registry import Option, Technique

_METAVARS = {
    "integer": "N",
    "number": "NUMBER",
    "file": "FILE",
    "path": "FILE",
    "names": "NAME,...",
    "values": "NAME=VALUE,...",
    "text": "TEXT",
}


class TechniqueCommand(click.Command):
    """A command whose further options are those of a technique, which its arguments name."""

    def __init__(self, *args: Any, simulated: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.simulated = simulated

    def named(self, arguments: list[str]) -> str | None:
        """Return the technique that the arguments name."""
        for i, argument in enumerate(arguments):
            if argument in ("--technique", "-t") and i + 1 < len(arguments):
                return arguments[i + 1]
            if argument.startswith("--technique="):
                return argument.partition("=")[2]
        return None

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Find the technique first, because the other options depend on it."""
        name = self.named(args)
        if name is not None:
            from perolas.measurements import registry

            ctx.meta["technique"] = registry.technique(name)
            args = _spread(args, {_flag(o) for o in ctx.meta["technique"].all_options() if o.kind == "names"})
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            if name is None:
                raise click.UsageError(
                    f'The option "{error.option_name}" belongs to a technique; say which with --technique.'
                ) from None
            raise

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Return the command's own parameters and those of the technique."""
        own = super().get_params(ctx)
        chosen = ctx.meta.get("technique")
        if chosen is None:
            return own
        added = generated(chosen, self.simulated)
        names = {p.name for p in added}
        return [p for p in own if p.name not in names] + list(added)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the technique's options in a section of their own."""
        chosen = ctx.meta.get("technique")
        added = {p.name for p in generated(chosen, self.simulated)} if chosen else set()
        rows: dict[bool, list[tuple[str, str]]] = {False: [], True: []}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None and isinstance(parameter, click.Option):
                rows[parameter.name in added].append(record)
        with formatter.section("Options"):
            formatter.write_dl(rows[False])
        if chosen:
            with formatter.section(f"Options of {chosen.name} ({chosen.summary})"):
                formatter.write_dl(rows[True])


def generated(chosen: Technique, simulated: bool) -> list[click.Option]:
    """Return the options of a technique.

    Args:
        chosen: the technique.
        simulated: only those that simulations take.

    Returns:
        Options whose values are text, as `registry.convert_options` wants it.
    """
    return [_option(o) for o in chosen.all_options() if o.simulate or not simulated]


def _spread(args: list[str], flags: set[str]) -> list[str]:
    """Write ``--phases A B C`` as ``--phases A --phases B --phases C``, where the command's own argument came first."""
    if not args or args[0].startswith("-"):
        return args
    found: list[str] = []
    current = None  # the option whose names are being listed
    for i, argument in enumerate(args):
        if argument.startswith("-"):
            current = argument if argument in flags else None
        elif current is not None and args[i - 1] != current:
            found.append(current)
        found.append(argument)
    return found


def _flag(option: Option) -> str:
    return f"--{option.name.replace('_', '-')}"


def _option(option: Option) -> click.Option:
    flag = _flag(option)
    text = option.help
    if option.default not in (None, "", (), {}):
        text += f"  [default: {option.default}{f' {option.unit}' if option.unit else ''}]"
    if option.kind == "flag":
        return click.Option([f"{flag}/--no-{flag[2:]}", option.name], default=None, help=text)
    metavar = _METAVARS.get(option.kind, "TEXT")
    if option.kind == "choice":
        metavar = f"[{'|'.join(option.choices)}]"
    elif option.kind == "quantity":
        metavar = f'"VALUE {option.unit}"'
    elif option.kind == "window":
        metavar = f'"LOW HIGH {option.unit}"'.replace(' "', '"')
    return click.Option(
        [flag, option.name], metavar=metavar, multiple=option.kind in ("names", "values"), default=None, help=text
    )


def gathered(chosen: Technique, values: dict[str, Any]) -> dict[str, Any]:
    """Take a technique's options out of a command's values.

    Args:
        chosen: the technique.
        values: name -> value of everything the command was given; its own are left in.

    Returns:
        What was given of the technique's options; lists may have been written with commas, spaces, or several times.
    """
    found: dict[str, Any] = {}
    for option in chosen.all_options():
        value = values.pop(option.name, None)
        if value is None or value == ():
            continue
        found[option.name] = _split(value) if option.kind in ("names", "values") else value
    return found


def _split(values: Iterable[str]) -> list[str]:
    return [word for text in values for word in text.replace(",", " ").split()]
