"""What the README and the guides tell people to type exists, and is what is tested here and in ``.ci/run``."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import click
import pytest

from roosync_p2p.admin.main import roosync_admin
from roosync_p2p.cli.main import roosync
from roosync_p2p.cli.ordering import DefaultGroup
from roosync_p2p.core.settings import describe

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").rglob("*.md"))]
FOR_USERS = [README, ROOT / "docs" / "admin.md", *sorted((ROOT / "docs" / "guide").glob("*.md"))]
TOOLS: dict[str, click.Group] = {"roosync": roosync, "roosync-admin": roosync_admin}


class Commands(NamedTuple):
    """One of the README's commands for a fresh machine, in both forms."""

    posix: str
    powershell: str


def commands(name: str) -> Commands:
    """The pair after ``<!-- commands: name -->``."""
    found = re.search(
        rf"<!-- commands: {name} -->\n```sh\n(.+)\n```\n\n```powershell\n(.+)\n```\n",
        README.read_text(encoding="utf-8"),
    )
    assert found, f"the README has no commands named {name}, one line each"
    return Commands(posix=found[1], powershell=found[2])


def setting(name: str) -> str:
    """What ``.ci/run`` sets a variable to."""
    found = re.search(rf'^{name}="(.+)"$', (ROOT / ".ci" / "run").read_text(encoding="utf-8"), re.MULTILINE)
    assert found, f".ci/run sets no {name}"
    return found[1]


def posix_steps(line: str) -> list[str]:
    """The steps, with programs named as in an activated environment."""
    return [step.strip().replace(".venv/bin/", "") for step in line.split("&&")]


def powershell_steps(line: str) -> list[str]:
    """The same of the other form. ``&&`` is unknown to Windows PowerShell 5.1, so each step asks for the one before."""
    first, *rest = [step.strip() for step in line.split(";")]
    assert all(step.startswith("if ($?) { ") and step.endswith(" }") for step in rest), line
    steps = [first, *(step.removeprefix("if ($?) { ").removesuffix(" }") for step in rest)]
    return [step.replace(".venv\\Scripts\\", "") for step in steps]


def lines_of_fences(page: Path) -> Iterator[str]:
    """Lines that begin with one of our programs, in code blocks of either kind."""
    for line in page.read_text(encoding="utf-8").splitlines():
        bare = line.strip().partition("   ")[0]  # a remark stands far to the right
        if bare.split(" ", 1)[0] in TOOLS and not line.startswith(("-", "|", "roosync up` ")):
            yield bare


@pytest.mark.parametrize("name", ["try", "test"])
def test_both_shells_do_the_same(name: str) -> None:
    pair = commands(name)
    posix, powershell = posix_steps(pair.posix), powershell_steps(pair.powershell)
    assert posix[0] == "python3.11 -m venv .venv"
    assert powershell[0] == "py -3.11 -m venv .venv"
    assert posix[1:] == powershell[1:]


def test_continuous_integration_runs_the_readmes_commands() -> None:
    assert posix_steps(commands("try").posix)[-1] == setting("MAIN_JOB")
    assert posix_steps(commands("test").posix)[-1] == setting("TESTS")
    source = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "step demo $MAIN_JOB\n" in source
    assert "step tests $TESTS\n" in source
    assert "'.[dev]'" in source
    assert "'.[dev]'" in commands("test").posix


def test_what_is_installed_is_the_package_with_its_commands() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert set(TOOLS) <= set(project["scripts"])
    assert "dev" in project["optional-dependencies"]


@pytest.mark.skipif(sys.platform == "win32", reason="a POSIX shell")
def test_the_script_of_continuous_integration_parses_and_can_be_run() -> None:
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    assert subprocess.run(["bash", "-n", str(script)], check=False).returncode == 0


@pytest.mark.parametrize("page", FOR_USERS, ids=lambda page: page.name)
def test_every_command_that_is_shown_exists_with_its_options(page: Path) -> None:
    for line in lines_of_fences(page):
        words = shlex.split(line.partition("  #")[0].partition(" < ")[0])
        group: click.Command = TOOLS[words[0]]
        options = known_options(group)
        for word in words[1:]:
            if word.startswith("--"):
                assert word.partition("=")[0] in options, f"{page.name}: {line}: no option {word}"
            elif isinstance(group, click.Group) and (found := group.get_command(click.Context(group), word)):
                group = found
                options |= known_options(group)
        assert group is not TOOLS[words[0]] or "--version" in words, f"{page.name}: {line}: no such command"


def known_options(command: click.Command) -> set[str]:
    """``--home`` and the others that a command takes, or the one that it stands for when no other is named."""
    if isinstance(command, DefaultGroup):
        return known_options(command.commands[command.default])
    return {name for parameter in command.params for name in parameter.opts} | {"--help"}


def test_the_guides_show_commands() -> None:
    assert len([line for page in FOR_USERS for line in lines_of_fences(page)]) > 30


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    targets = [target for target in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in target]
    broken = [target for target in targets if not (page.parent / target.partition("#")[0]).exists()]
    assert not broken, f"{page.relative_to(ROOT)} links to {', '.join(broken)}"


def test_every_error_code_in_the_troubleshooting_guide_exists() -> None:
    text = (ROOT / "docs" / "guide" / "troubleshooting.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    codes = {code for row in rows for code in re.findall(r"`([a-z_]+)`", row)}
    assert codes
    source = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "roosync_p2p").rglob("*.py"))
    unknown = sorted(code for code in codes if f'"{code}"' not in source)
    assert not unknown, f"nothing says {', '.join(unknown)}"


def test_every_setting_in_the_guides_exists() -> None:
    known = {key.key for key in describe()}
    for page in FOR_USERS:
        text = page.read_text(encoding="utf-8")
        named = {f"{section}.{key}" for section, key in re.findall(r"`\[([a-z]+)\] ([a-z_]+)", text)}
        assert named <= known, f"{page.name}: {named - known}"
