"""What is written for each system, read back by a parser of that format."""

from __future__ import annotations

import plistlib
import shlex
import subprocess
from pathlib import PurePosixPath, PureWindowsPath
from xml.etree import ElementTree as ET

import pytest

from roosync_p2p import limits
from roosync_p2p.adapters.service.definitions import (
    Service,
    launchd_agent,
    node_program,
    scheduled_task,
    service_name,
    systemd_unit,
)
from roosync_p2p.errors import InputFault

HOME = PurePosixPath('/home/é lan/a "b" 100% $HOME \\x')
_TASK = "{http://schemas.microsoft.com/windows/2004/02/mit/task}"


def _service(platform: str = "linux") -> Service:
    home = PureWindowsPath("C:\\Users\\Élan & co\\roosync") if platform == "win32" else HOME
    executable = (
        PureWindowsPath("C:\\Program Files\\Python\\python.exe")
        if platform == "win32"
        else PurePosixPath("/opt/venv/bin/python")
    )
    return Service(name="roosync", program=node_program(platform, executable, home), home=home)


def test_each_home_has_a_service_of_its_own() -> None:
    default = PurePosixPath("/home/x/.local/share/roosync")
    assert service_name(default, default) == "roosync"
    other = service_name(HOME, default)
    assert other.startswith("roosync-")
    assert other == service_name(HOME, default) != service_name(default / "b", default)
    assert other.replace("-", "").isalnum()


def test_the_program_has_no_console_on_windows_and_imports_nothing_from_where_it_starts() -> None:
    assert _service("win32").program[0] == "C:\\Program Files\\Python\\pythonw.exe"
    assert _service().program == ("/opt/venv/bin/python", "-P", "-m", "roosync_p2p", "--home", str(HOME), "up")


def test_a_path_that_no_file_can_carry_is_refused() -> None:
    with pytest.raises(InputFault, match="control character"):
        node_program("linux", PurePosixPath("/usr/bin/python3"), PurePosixPath("/home/a\nExecStart=evil"))


def test_a_unit_keeps_every_character_of_the_command_line() -> None:
    unit = systemd_unit(_service())
    (line,) = [line for line in unit.splitlines() if line.startswith("ExecStart=")]
    # what systemd undoes: specifiers, variables, then quotes and backslashes as a shell does in double quotes
    words = shlex.split(line.removeprefix("ExecStart=").replace("%%", "%").replace("$$", "$"))
    assert tuple(words) == _service().program
    assert "Restart=on-failure" in unit
    assert f"TimeoutStopSec={limits.SERVICE_STOP_S:.0f}" in unit
    assert all(line.isascii() or str(HOME)[6] in line for line in unit.splitlines())


def test_an_agent_is_a_property_list_that_starts_it_again_after_a_failure_alone() -> None:
    said = plistlib.loads(launchd_agent(_service("darwin")))
    assert tuple(said["ProgramArguments"]) == _service("darwin").program
    assert said["Label"] == "org.roosync.roosync"
    assert said["RunAtLoad"] is True
    assert said["KeepAlive"] == {"SuccessfulExit": False}
    assert said["ExitTimeOut"] == limits.SERVICE_STOP_S


def test_a_task_runs_in_the_users_session_for_ever_on_battery_too() -> None:
    service = _service("win32")
    data = scheduled_task(service, user="HÔTE\\Élan & co")
    assert data[:2] in (b"\xff\xfe", b"\xfe\xff"), "UTF-16 with its mark"
    text = data.decode("utf-16")
    assert text.count("\r\n") == text.count("\n")
    root = ET.fromstring(text.encode("utf-16"))

    def value(name: str) -> str:
        (found,) = {element.text or "" for element in root.iter(f"{_TASK}{name}")}
        return found

    assert value("UserId") == "HÔTE\\Élan & co"
    assert value("LogonType") == "InteractiveToken"
    assert value("RunLevel") == "LeastPrivilege"
    assert value("ExecutionTimeLimit") == "PT0S"
    assert value("DisallowStartIfOnBatteries") == value("StopIfGoingOnBatteries") == "false"
    assert value("MultipleInstancesPolicy") == "IgnoreNew"
    assert value("Count") == str(limits.SERVICE_RESTARTS_MAX)
    assert value("Command") == service.program[0]
    assert value("Arguments") == subprocess.list2cmdline(service.program[1:])
    assert '"C:\\Users\\Élan & co\\roosync"' in value("Arguments")
