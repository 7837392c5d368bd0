"""Whether the computer runs on its battery: three ways to ask, and the pure reading of the answers.

A computer that cannot run on a battery does not. The batteries of mice and headsets do not count; that of a UPS does,
where the system shows it.
"""

from __future__ import annotations

import re
import struct
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from roosync_p2p import limits

__all__ = ["on_battery", "parse_pmset", "parse_power_status", "parse_supplies"]

_PMSET: Final = ("/usr/bin/pmset", "-g", "batt")
_PMSET_SOURCE: Final = re.compile(r"Now drawing from '([^']*)'")
_POWER_STATUS: Final = struct.Struct("=BBBBII")  # SYSTEM_POWER_STATUS
_AC_OFFLINE: Final = 0
_AC_ONLINE: Final = 1
_ATTRIBUTES: Final = ("type", "scope", "online", "status")


def on_battery(*, platform: str = sys.platform, supplies: Path = Path("/sys/class/power_supply")) -> bool | None:
    """True on battery, False on mains, None if this computer does not say. Blocks: run it in a worker thread.

    Args:
        supplies: where Linux shows what supplies it with power.
    """
    if platform == "win32":
        status = _read_power_status()
        return None if status is None else parse_power_status(status)
    if platform == "darwin":
        text = _run_pmset()
        return None if text is None else parse_pmset(text)
    found = _read_supplies(supplies)
    return None if found is None else parse_supplies(found)


def parse_supplies(supplies: Iterable[Mapping[str, str]]) -> bool:
    """From the attributes in ``/sys/class/power_supply/*``: type, scope, online, status.

    As systemd judges it: mains that are there win; else a system battery that discharges.
    """
    ours = [supply for supply in supplies if supply.get("scope") != "Device"]
    if any(supply.get("online") == "1" for supply in ours if supply.get("type") not in ("Battery", "UPS")):
        return False
    batteries = [supply for supply in ours if supply.get("type") in ("Battery", "UPS")]
    return any(supply.get("status") == "Discharging" for supply in batteries)


def parse_power_status(status: bytes) -> bool | None:
    """From the twelve bytes that ``GetSystemPowerStatus`` fills in."""
    line = _POWER_STATUS.unpack(status)[0]
    return {_AC_OFFLINE: True, _AC_ONLINE: False}.get(line)


def parse_pmset(text: str) -> bool | None:
    """From what ``pmset -g batt`` prints."""
    found = _PMSET_SOURCE.search(text)
    if found is None:
        return None
    return {"AC Power": False, "Battery Power": True, "UPS Power": True}.get(found[1])


def _read_supplies(folder: Path) -> list[dict[str, str]] | None:
    try:
        return [_read_supply(supply) for supply in sorted(folder.iterdir())]
    except OSError:
        return None  # no such folder: a container, or not Linux


def _read_supply(supply: Path) -> dict[str, str]:
    found = {}
    for name in _ATTRIBUTES:
        try:
            with (supply / name).open("rb") as file:
                found[name] = file.read(limits.BATTERY_TEXT_BYTES_MAX).decode("ascii", errors="replace").strip()
        except OSError:  # not every supply has every attribute, and a battery may be taken out while it is read
            continue
    return found


def _run_pmset() -> str | None:
    try:
        done = subprocess.run(  # noqa: S603 - a fixed command
            _PMSET, capture_output=True, text=True, errors="replace", check=False, timeout=limits.BATTERY_COMMAND_S
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout


if sys.platform == "win32":
    import ctypes

    def _read_power_status() -> bytes | None:
        status = ctypes.create_string_buffer(_POWER_STATUS.size)
        filled = ctypes.WinDLL("kernel32").GetSystemPowerStatus(status)
        return status.raw if filled else None

else:

    def _read_power_status() -> bytes | None:
        return None
