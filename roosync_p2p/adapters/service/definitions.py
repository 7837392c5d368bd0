"""What is written so that a system starts the node at login: a systemd user unit, a launchd agent, a scheduled task.

Pure text from values, for all three systems, so that each can be tested on any of them. Sources: systemd.service(5) and
systemd.syntax(7); launchd.plist(5); Microsoft's Task Scheduler schema 1.2. All three run it as the user, in the user's
session, because there the drive letters, the keychain and the synchroniser are; none of them opens a console window.
"""

from __future__ import annotations

import dataclasses
import plistlib
import subprocess
from pathlib import PurePath
from typing import Final
from xml.sax.saxutils import escape

from roosync_p2p import limits
from roosync_p2p.codec.digests import sha256
from roosync_p2p.errors import InputFault

__all__ = ["Service", "launchd_agent", "node_program", "scheduled_task", "service_name", "systemd_unit"]

_NAME: Final = "roosync"
_SUFFIX_CHARS: Final = 8


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One node as a service.

    Attributes:
        name: of the service; letters, digits and ``-``.
        program: the command line, with absolute paths.
        home: the node's home.
    """

    name: str
    program: tuple[str, ...]
    home: PurePath


def service_name(home: PurePath, default: PurePath) -> str:
    """``roosync`` for the default home; for another one with a suffix, so that each home has its own service."""
    if home == default:
        return _NAME
    return f"{_NAME}-{sha256(str(home).encode()).hex()[:_SUFFIX_CHARS]}"


def node_program(platform: str, executable: PurePath, home: PurePath) -> tuple[str, ...]:
    """The command line of the node.

    ``-P`` keeps a file in the directory that a service happens to start in from being imported. On Windows it is the
    interpreter without a console.

    Args:
        executable: ``sys.executable``.

    Raises:
        InputFault: a path that no service file can carry (``bad_path``).
    """
    if platform == "win32" and executable.name.lower() == "python.exe":
        executable = executable.with_name("pythonw.exe")
    for path in (executable, home):
        if any(ord(character) < 32 for character in str(path)):
            raise InputFault(
                "a path with a control character cannot be written into a service file; nothing was changed",
                code="bad_path",
                remedy="move the home, or the environment that roosync is installed in, to an ordinary path",
            )
    return (str(executable), "-P", "-m", "roosync_p2p", "--home", str(home), "up")


def systemd_unit(service: Service) -> str:
    """The text of a user unit.

    A node that ends by itself with 0 was told to (``roosync down``, ``roosync leave``) and stays down until the next
    login; any other end is followed by a new start, for ever: a port that is taken now may be free later.
    """
    return f"""\
[Unit]
Description=RooSync node in {_specifiers(str(service.home))}
StartLimitIntervalSec=0

[Service]
Type=exec
ExecStart={" ".join(map(_systemd_word, service.program))}
Restart=on-failure
RestartSec={limits.SERVICE_RESTART_S:.0f}
TimeoutStopSec={limits.SERVICE_STOP_S:.0f}

[Install]
WantedBy=default.target
"""


def launchd_agent(service: Service) -> bytes:
    """The property list of a user agent."""
    return plistlib.dumps(
        {
            "Label": _label(service.name),
            "ProgramArguments": list(service.program),
            "RunAtLoad": True,
            "KeepAlive": {"SuccessfulExit": False},
            "ThrottleInterval": int(limits.SERVICE_RESTART_S),
            "ExitTimeOut": int(limits.SERVICE_STOP_S),
            # "Background" would be slowed down, and heartbeats would be late.
            "ProcessType": "Standard",
        }
    )


def scheduled_task(service: Service, *, user: str) -> bytes:
    """The XML of a task, in UTF-16 as ``schtasks /Create /XML`` wants it.

    Args:
        user: ``DOMAIN\\name``.
    """
    program, *arguments = service.program
    text = f"""\
<?xml version="1.0" encoding="UTF-16"?>
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo>
    <Description>RooSync node in {escape(str(service.home))}</Description>
  </RegistrationInfo>
  <Triggers>
    <LogonTrigger>
      <Enabled>true</Enabled>
      <UserId>{escape(user)}</UserId>
    </LogonTrigger>
  </Triggers>
  <Principals>
    <Principal id="Author">
      <UserId>{escape(user)}</UserId>
      <LogonType>InteractiveToken</LogonType>
      <RunLevel>LeastPrivilege</RunLevel>
    </Principal>
  </Principals>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <AllowHardTerminate>true</AllowHardTerminate>
    <StartWhenAvailable>true</StartWhenAvailable>
    <IdleSettings>
      <StopOnIdleEnd>false</StopOnIdleEnd>
      <RestartOnIdle>false</RestartOnIdle>
    </IdleSettings>
    <Enabled>true</Enabled>
    <ExecutionTimeLimit>PT0S</ExecutionTimeLimit>
    <Priority>6</Priority>
    <RestartOnFailure>
      <Interval>PT1M</Interval>
      <Count>{limits.SERVICE_RESTARTS_MAX}</Count>
    </RestartOnFailure>
  </Settings>
  <Actions Context="Author">
    <Exec>
      <Command>{escape(program)}</Command>
      <Arguments>{escape(subprocess.list2cmdline(arguments))}</Arguments>
    </Exec>
  </Actions>
</Task>
"""
    return text.replace("\n", "\r\n").encode("utf-16")


def _label(name: str) -> str:
    return f"org.roosync.{name}"


def _specifiers(text: str) -> str:
    """In a unit ``%`` begins a specifier."""
    return text.replace("%", "%%")


def _systemd_word(text: str) -> str:
    """One word of a command line: quoted, without variables and specifiers."""
    quoted = text.replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$")
    return f'"{_specifiers(quoted)}"'
