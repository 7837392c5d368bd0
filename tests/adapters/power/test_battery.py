"""Mains or battery, from what each system says."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from roosync_p2p.adapters.power.battery import on_battery, parse_pmset, parse_power_status, parse_supplies

_MAINS = {"type": "Mains", "online": "1"}
_UNPLUGGED = {"type": "Mains", "online": "0"}
_CHARGING = {"type": "Battery", "status": "Charging"}
_DISCHARGING = {"type": "Battery", "status": "Discharging"}
_MOUSE = {"type": "Battery", "status": "Discharging", "scope": "Device"}
_USB_C = {"type": "USB", "online": "1"}


@pytest.mark.parametrize(
    ("supplies", "battery"),
    [
        ([], False),
        ([_MAINS, _CHARGING], False),
        ([_UNPLUGGED, _DISCHARGING], True),
        ([_DISCHARGING], True),
        ([_MAINS, _DISCHARGING], False),  # calibrating, or a weak charger
        ([_UNPLUGGED, _USB_C, _CHARGING], False),
        ([_MOUSE], False),
        ([_UNPLUGGED, {"type": "Battery", "status": "Full"}], False),
        ([{"type": "UPS", "status": "Discharging", "online": "1"}], True),
        ([{}], False),
    ],
    ids=str,
)
def test_what_linux_shows(supplies: list[dict[str, str]], battery: bool) -> None:
    assert parse_supplies(supplies) is battery


def _status(line: int, flag: int) -> bytes:
    return struct.pack("=BBBBII", line, flag, 87, 0, 0xFFFFFFFF, 0xFFFFFFFF)


@pytest.mark.parametrize(
    ("line", "flag", "battery"), [(0, 1, True), (1, 8, False), (1, 128, False), (255, 255, None)], ids=str
)
def test_what_windows_fills_in(line: int, flag: int, battery: bool | None) -> None:
    assert parse_power_status(_status(line, flag)) is battery


@pytest.mark.parametrize(
    ("text", "battery"),
    [
        (
            "Now drawing from 'AC Power'\n -InternalBattery-0 (id=1)\t100%; charged; 0:00 remaining present: true\n",
            False,
        ),
        ("Now drawing from 'Battery Power'\n -InternalBattery-0 (id=1)\t97%; discharging; 9:01 remaining\n", True),
        ("Now drawing from 'UPS Power'\n", True),
        ("Now drawing from 'AC Power'\n", False),
        ("", None),
        ("Now drawing from 'the sun'\n", None),
    ],
)
def test_what_macos_prints(text: str, battery: bool | None) -> None:
    assert parse_pmset(text) is battery


def test_the_folder_of_linux_is_read(tmp_path: Path) -> None:
    for name, attributes in {"AC": _UNPLUGGED, "BAT0": _DISCHARGING}.items():
        (tmp_path / name).mkdir()
        for attribute, value in attributes.items():
            (tmp_path / name / attribute).write_text(f"{value}\n")
    assert on_battery(platform="linux", supplies=tmp_path) is True
    assert on_battery(platform="linux", supplies=tmp_path / "missing") is None


@pytest.mark.parametrize("platform", ["win32", "darwin"])
def test_what_cannot_be_asked_is_not_guessed(platform: str) -> None:
    assert on_battery(platform=platform) in (None, True, False)
