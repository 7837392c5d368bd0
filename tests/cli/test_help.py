"""Help texts: sections, examples."""

from __future__ import annotations

import click
import pytest

from roosync_p2p.admin.main import roosync_admin
from roosync_p2p.api.command_table import CommandEntry, CommandTable
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


@pytest.mark.parametrize("name", sorted(roosync.elsewhere))
def test_a_command_that_is_looked_for_in_the_wrong_place_is_named(name: str) -> None:
    tool, *path = roosync.elsewhere[name].split()
    group: click.Command | None = roosync_admin if tool == "roosync-admin" else roosync
    for part in path:
        assert isinstance(group, click.Group)
        group = group.get_command(click.Context(group), part)
    assert group is not None
    assert name not in roosync.entries
    with pytest.raises(click.UsageError, match=f"it is `{roosync.elsewhere[name]}`"):
        roosync.resolve_command(click.Context(roosync), [name])


@pytest.mark.parametrize("tool", [roosync, roosync_admin], ids=["roosync", "roosync-admin"])
def test_the_list_of_commands_says_what_each_says_of_itself(tool: click.Group) -> None:
    assert isinstance(tool, CommandTable)
    context = click.Context(tool)
    for name, entry in tool.entries.items():
        command = tool.get_command(context, name)
        assert command is not None
        assert entry.summary == command.get_short_help_str(200)


def test_help_shows_the_commands_in_their_sections() -> None:
    text = roosync.get_help(click.Context(roosync, info_name="roosync"))
    at = [text.index(f"{section}:") for section in ("Every day", "Decide", "Configure", "Care")]
    assert at == sorted(at)
    assert at[1] < text.index("  claim ") < at[2]


def test_a_section_without_commands_is_not_shown() -> None:
    entry = CommandEntry("nowhere", "nothing", "Here", "Says something.")
    tool = CommandTable("tool", entries={"word": entry}, sections=("Here", "There"))
    text = tool.get_help(click.Context(tool, info_name="tool"))
    assert "Here:" in text
    assert "There:" not in text
