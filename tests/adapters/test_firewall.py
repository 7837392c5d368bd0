"""The command that lets others in, as text, for every system; only the Linux ones have been run."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from roosync_p2p.adapters.firewall import allow_command, linux_firewall, listening_program, this_allow_command

_ON_LINUX = {
    "ufw": "ufw allow 47600/tcp comment roosync",
    "firewalld": "firewall-cmd --permanent --add-port=47600/tcp && firewall-cmd --reload",
    "nft": "nft insert rule inet filter input tcp dport 47600 accept",
    "iptables": "iptables -I INPUT -p tcp --dport 47600 -j ACCEPT",
}


def test_on_windows_it_is_a_rule_for_the_port_and_the_program() -> None:
    program = r"C:\Program Files\Python311\python.exe"
    assert allow_command("win32", 47600, program=program) == (
        "New-NetFirewallRule -DisplayName roosync -Direction Inbound -Action Allow -Protocol TCP -LocalPort 47600 "
        r"-Program 'C:\Program Files\Python311\python.exe'"
    )


def test_a_quote_in_a_windows_path_does_not_end_it() -> None:
    command = allow_command("win32", 1, program=r"C:\Users\d'Artagnan\python.exe")
    assert command is not None
    assert command.endswith(r"-Program 'C:\Users\d''Artagnan\python.exe'")


def test_on_macos_the_program_is_let_in_by_the_application_firewall() -> None:
    tool = "/usr/libexec/ApplicationFirewall/socketfilterfw"
    assert allow_command("darwin", 47600, program="/opt/my python/bin/python3.11") == (
        f"sudo {tool} --add '/opt/my python/bin/python3.11' && sudo {tool} --unblockapp '/opt/my python/bin/python3.11'"
    )


@pytest.mark.parametrize("firewall", _ON_LINUX)
def test_on_linux_it_is_the_command_of_the_firewall_that_is_there(firewall: str) -> None:
    assert allow_command("linux", 47600, program="python", linux=firewall, root=True) == _ON_LINUX[firewall]
    by_user = allow_command("linux", 47600, program="python", linux=firewall)
    assert by_user == "sudo " + _ON_LINUX[firewall].replace("&& ", "&& sudo ")


def test_where_no_firewall_is_known_no_command_is_made_up() -> None:
    assert allow_command("linux", 47600, program="python") is None
    assert allow_command("sunos5", 47600, program="python", linux="nft") is None


@pytest.mark.parametrize(
    ("tools", "ufw", "found"),
    [
        ({"ufw", "nft", "iptables"}, "ENABLED=yes\n", "ufw"),
        ({"ufw", "nft", "iptables"}, '# off\nENABLED="no"\n', "nft"),
        ({"ufw", "iptables"}, None, "iptables"),
        ({"firewall-cmd", "nft"}, None, "firewalld"),
        ({"iptables"}, "ENABLED=yes\n", "iptables"),
        (set(), None, ""),
    ],
)
def test_the_friendliest_firewall_that_is_in_use_is_chosen(
    tmp_path: Path, tools: set[str], ufw: str | None, found: str
) -> None:
    conf = tmp_path / "ufw.conf"
    if ufw is not None:
        conf.write_text(ufw)
    assert linux_firewall(lambda tool: tool if tool in tools else None, conf) == found


def test_the_program_is_the_one_that_runs_and_not_what_starts_it(tmp_path: Path) -> None:
    assert listening_program("win32", r"C:\v\Scripts\python.exe", r"C:\Python311\python.exe") == (
        r"C:\Python311\python.exe"
    )
    assert listening_program("win32", r"C:\Python311\python.exe", "") == r"C:\Python311\python.exe"
    framework = tmp_path / "Python.framework/Versions/3.11"
    (framework / "bin").mkdir(parents=True)
    stub = framework / "bin/python3.11"
    stub.touch()
    assert listening_program("darwin", str(stub), "") == str(stub.resolve())
    bundled = framework / "Resources/Python.app/Contents/MacOS/Python"
    bundled.parent.mkdir(parents=True)
    bundled.touch()
    assert listening_program("darwin", str(stub), "") == str(bundled.resolve())


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks for the firewalls of Linux")
def test_this_computer_has_a_command_or_none() -> None:
    command = this_allow_command(47600)
    assert command is None or "47600" in command
