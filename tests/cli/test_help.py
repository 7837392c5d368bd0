"""Help texts: sections, examples."""

from __future__ import annotations

import click
import pytest

from roosync_p2p.cli.main import roosync


def commands() -> list[tuple[str, click.Command]]:
    """Every command with its path."""
    context = click.Context(roosync)
    found: list[tuple[str, click.Command]] = []
    for name in roosync.list_commands(context):
        command = roosync.get_command(context, name)
        assert command is not None
        found.append((name, command))
        if isinstance(command, click.Group):
            found += [(f"{name} {inner}", sub) for inner, sub in command.commands.items()]
    return found


@pytest.mark.parametrize(("path", "command"), commands())
def test_every_command_shows_an_example_of_itself(path: str, command: click.Command) -> None:
    text = command.get_help(click.Context(command, info_name=f"roosync {path}"))
    assert "Example" in text
    assert f"roosync {path.partition(' ')[0]}" in text.partition("Example")[2]


@pytest.mark.parametrize(("path", "command"), [row for row in commands() if not isinstance(row[1], click.Group)])
def test_every_command_takes_home_and_json(path: str, command: click.Command) -> None:
    options = {option for parameter in command.params for option in parameter.opts}
    assert {"--home", "--json"} <= options


def test_only_sections_with_commands_are_shown() -> None:
    text = roosync.get_help(click.Context(roosync, info_name="roosync"))
    assert "Every day:" in text
    assert "Care:" in text
    assert "Decide:" not in text
