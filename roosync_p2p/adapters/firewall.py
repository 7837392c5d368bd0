"""What a user runs to let other machines in: one command for each firewall, as text.

Nothing is changed here, and no firewall is asked what it does: that takes rights which this program does not have.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

__all__ = ["allow_command", "linux_firewall", "listening_program", "this_allow_command"]

_SOCKETFILTERFW: Final = "/usr/libexec/ApplicationFirewall/socketfilterfw"


def allow_command(platform: str, port: int, *, program: str, linux: str = "", root: bool = False) -> str | None:
    """The command that lets connections to a port in, None if no firewall is known there.

    Args:
        platform: as ``sys.platform``.
        program: the file that listens; the firewalls of Windows and macOS know programs.
        linux: one of those that :func:`linux_firewall` names.
        root: whether the user is root, so that ``sudo`` is not needed, and may not be there.
    """
    sudo = "" if root else "sudo "
    if platform == "win32":
        quoted = program.replace("'", "''")
        return (
            "New-NetFirewallRule -DisplayName roosync -Direction Inbound -Action Allow -Protocol TCP "
            f"-LocalPort {port} -Program '{quoted}'"
        )
    if platform == "darwin":
        quoted = shlex.quote(program)
        return f"{sudo}{_SOCKETFILTERFW} --add {quoted} && {sudo}{_SOCKETFILTERFW} --unblockapp {quoted}"
    if not platform.startswith("linux"):
        return None
    return {
        "ufw": f"{sudo}ufw allow {port}/tcp comment roosync",
        "firewalld": f"{sudo}firewall-cmd --permanent --add-port={port}/tcp && {sudo}firewall-cmd --reload",
        # At the head of the chain that distributions and their manuals use: behind a drop it would change nothing.
        "nft": f"{sudo}nft insert rule inet filter input tcp dport {port} accept",
        "iptables": f"{sudo}iptables -I INPUT -p tcp --dport {port} -j ACCEPT",
    }.get(linux)


def linux_firewall(which: Callable[[str], object] = shutil.which, ufw_conf: Path = Path("/etc/ufw/ufw.conf")) -> str:
    """``ufw``, ``firewalld``, ``nft``, ``iptables``, or nothing: the first that is there, the friendliest first.

    ufw comes with Ubuntu, switched off; the others are installed where they are used.
    """
    if which("ufw") and _ufw_enabled(ufw_conf):
        return "ufw"
    for name, tool in (("firewalld", "firewall-cmd"), ("nft", "nft"), ("iptables", "iptables")):
        if which(tool):
            return name
    return ""


def listening_program(platform: str, executable: str, base_executable: str) -> str:
    """The file of the process that listens, as the firewall sees it.

    Args:
        executable: ``sys.executable``.
        base_executable: ``sys._base_executable``: on Windows a virtual environment's ``python.exe`` only starts it.
    """
    if platform == "win32":
        return base_executable or executable
    real = Path(executable).resolve()
    if platform == "darwin":  # a framework's ``python3`` goes on as the program in its bundle
        bundled = real.parent.parent / "Resources/Python.app/Contents/MacOS/Python"
        return str(bundled if bundled.exists() else real)
    return str(real)


def this_allow_command(port: int) -> str | None:
    """:func:`allow_command` for this computer, program and user."""
    return allow_command(
        sys.platform,
        port,
        program=listening_program(sys.platform, sys.executable, getattr(sys, "_base_executable", "")),
        linux=_tools_of_root() if sys.platform.startswith("linux") else "",
        root=sys.platform != "win32" and os.geteuid() == 0,
    )


def _tools_of_root() -> str:
    """The system's own tools are not on every user's path."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
    return linux_firewall(lambda tool: shutil.which(tool, path=path))


def _ufw_enabled(conf: Path) -> bool:
    try:
        lines = conf.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    return any(line.strip().lower().replace('"', "") == "enabled=yes" for line in lines)
