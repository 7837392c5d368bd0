"""Whether a process lives. The one place that asks the platform."""

from __future__ import annotations

import os
import sys
from pathlib import Path

__all__ = ["process_alive"]


def process_alive(pid: int) -> bool:
    """Whether ``pid`` runs; one that ended and that nobody collected does not.

    Another user's process counts as running.
    """
    return pid > 0 and _alive(pid)


if sys.platform == "win32":
    import ctypes

    _QUERY_LIMITED_INFORMATION = 0x1000
    _STILL_ACTIVE = 259
    _ACCESS_DENIED = 5

    def _alive(pid: int) -> bool:
        # os.kill would end the process here, whatever the signal
        kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)
        kernel32.OpenProcess.restype = ctypes.c_void_p
        handle = ctypes.c_void_p(kernel32.OpenProcess(_QUERY_LIMITED_INFORMATION, False, pid))
        if not handle.value:
            return ctypes.get_last_error() == _ACCESS_DENIED  # it lives and is somebody else's
        try:
            code = ctypes.c_ulong()
            return bool(kernel32.GetExitCodeProcess(handle, ctypes.byref(code))) and code.value == _STILL_ACTIVE
        finally:
            kernel32.CloseHandle(handle)

else:

    def _alive(pid: int) -> bool:
        try:
            os.kill(pid, 0)
        except (ProcessLookupError, OverflowError):
            return False
        except PermissionError:
            return True
        return not _is_zombie(pid)

    def _is_zombie(pid: int) -> bool:
        """Linux tells in /proc; elsewhere there is no such file, and the process counts as running."""
        try:
            facts = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
        except OSError:
            return False
        return facts.rpartition(")")[2].split()[:1] == ["Z"]
