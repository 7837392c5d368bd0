"""Who a program speaks for when it claims something: its session's secret, or itself (docs/protocol/api.md §9).

Quick to import. A command is short-lived, so its session is the process that called it: the shell, or the agent.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping

__all__ = ["Speaker", "caller_of_command", "calling_process", "first_foreign", "sender", "this_program"]

Speaker = Mapping[str, object]

_OURS = ("python", "py.exe", "roosync", "uv.exe", "pipx")  # how the programs between a shell and a command are called


def this_program(environ: Mapping[str, str] | None = None) -> Speaker:
    """This process, unless ``ROOSYNC_SESSION`` holds a secret."""
    return _speaker(os.environ if environ is None else environ, os.getpid)


def sender(secret: str | None, speaker: Speaker | None) -> Speaker:
    """Who writes a message: a session by its secret, else whoever is named, else this process."""
    if secret is not None:
        return {"secret": secret}
    return speaker if speaker is not None else this_program({})


def caller_of_command(environ: Mapping[str, str] | None = None) -> Speaker:
    """The process that called this command, unless ``ROOSYNC_SESSION`` holds a secret."""
    return _speaker(os.environ if environ is None else environ, calling_process)


def first_foreign(processes: Mapping[int, tuple[int, str]], pid: int) -> int:
    """The nearest ancestor of a process that is no launcher of Python's or ours.

    On Windows a command is started by a launcher of its own, new each time, and that by the shell.

    Args:
        processes: parent and program name of each process.
    """
    seen = {pid}
    parent = processes.get(pid, (0, ""))[0]
    while parent in processes and parent not in seen and processes[parent][1].lower().startswith(_OURS):
        seen.add(parent)
        parent = processes[parent][0]
    return parent


def _speaker(environ: Mapping[str, str], process: Callable[[], int]) -> Speaker:
    secret = environ.get("ROOSYNC_SESSION")
    if secret:
        return {"secret": secret}
    user = environ.get("USERNAME") or environ.get("USER") or environ.get("LOGNAME") or "user"
    return {"user": user[:64], "process": process()}


if sys.platform == "win32":
    import ctypes

    _SNAPSHOT_PROCESSES = 2
    _INVALID = ctypes.c_void_p(-1).value

    class _Process(ctypes.Structure):  # PROCESSENTRY32W of tlhelp32.h
        _fields_ = (
            ("size", ctypes.c_ulong),
            ("usage", ctypes.c_ulong),
            ("process", ctypes.c_ulong),
            ("heap", ctypes.c_void_p),
            ("module", ctypes.c_ulong),
            ("threads", ctypes.c_ulong),
            ("parent", ctypes.c_ulong),
            ("priority", ctypes.c_long),
            ("flags", ctypes.c_ulong),
            ("program", ctypes.c_wchar * 260),
        )

    def calling_process() -> int:
        """The process that called this command."""
        return first_foreign(_processes(), os.getpid()) or os.getppid()

    def _processes() -> dict[int, tuple[int, str]]:
        kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)
        kernel32.CreateToolhelp32Snapshot.restype = ctypes.c_void_p
        snapshot = ctypes.c_void_p(kernel32.CreateToolhelp32Snapshot(_SNAPSHOT_PROCESSES, 0))
        if snapshot.value in (None, _INVALID):
            return {}
        found: dict[int, tuple[int, str]] = {}
        entry = _Process(size=ctypes.sizeof(_Process))
        try:
            more = kernel32.Process32FirstW(snapshot, ctypes.byref(entry))
            while more:
                found[entry.process] = (entry.parent, entry.program)
                more = kernel32.Process32NextW(snapshot, ctypes.byref(entry))
        finally:
            kernel32.CloseHandle(snapshot)
        return found

else:

    def calling_process() -> int:
        """The process that called this command."""
        return os.getppid()
