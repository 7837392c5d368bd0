"""``roosync settings``: what can be chosen, and what is."""

from __future__ import annotations

from pathlib import Path

import click

from roosync_p2p.api.terminal import Invocation, common_options
from roosync_p2p.cli.tables import table
from roosync_p2p.core.settings import KeyInfo, Settings, describe, flatten, parse_settings, parse_toml
from roosync_p2p.core.wake_settings import describe_wakes, flatten_wakes
from roosync_p2p.errors import EnvironmentFault

__all__ = ["read_settings", "settings"]


@click.group()
def settings() -> None:
    """Show the settings: every key, or the values in force.

    They are edited in settings.toml in the home and read when the node starts.

    \b
    Examples:
      roosync settings list
      roosync settings show
    """


@settings.command("list")
@common_options
def list_settings(invocation: Invocation) -> None:
    """Every key with its type, default, unit and meaning.

    \b
    Example:
      roosync settings list
    """
    keys = [*describe(), *(KeyInfo(*row) for row in describe_wakes())]
    if invocation.as_json:
        invocation.print_json({"settings": [row._asdict() for row in keys]})
        return
    rows = [[row.key, row.type, _shown(row.default), row.unit, row.description] for row in keys]
    invocation.print(table(["key", "type", "default", "unit", "meaning"], rows))


@settings.command("show")
@common_options
def show_settings(invocation: Invocation) -> None:
    """The values in force, from settings.toml and defaults.

    \b
    Example:
      roosync settings show --json
    """
    settings = read_settings(invocation.home)
    values = {**flatten(settings), **flatten_wakes(settings.wakes)}
    defaults = flatten(parse_settings({})) | dict.fromkeys(flatten_wakes(settings.wakes))
    if invocation.as_json:
        invocation.print_json({"file": str(invocation.home / "settings.toml"), "settings": values})
        return
    rows = [[key, _shown(value), "" if value == defaults[key] else "set"] for key, value in values.items()]
    invocation.print(table(["key", "value", ""], rows))


def read_settings(home: Path) -> Settings:
    """The settings of a home; all defaults without a file.

    Raises:
        InputFault: ``bad_setting``.
        EnvironmentFault: the file cannot be read.
    """
    path = home / "settings.toml"
    try:
        return parse_toml(path.read_bytes())
    except FileNotFoundError:
        return parse_settings({})
    except OSError as error:
        raise EnvironmentFault(f"{path} cannot be read: {error}", code="unreadable_settings") from error


def _shown(value: object) -> str:
    """A value as it is written in TOML; nothing for none."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "[" + ", ".join(_shown(item) for item in value) + "]"
    return f'"{value}"' if isinstance(value, str) else f"{value:g}"
