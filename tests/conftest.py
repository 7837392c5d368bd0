"""What every test relies on: derandomised properties, and no way to the real home."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "house", derandomize=True, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("house")

_HERE = Path(__file__).parent

# A shell's background job ignores SIGINT, and so would every program that a test starts in it and interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)


# What waits most goes first, so that what only computes fills the processors at the end.
_TURNS = ("end_to_end", "cli", "simulation", "core", "consensus")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the tests of real programs first; within a folder they stay in order."""
    items.sort(key=lambda item: _turn(item.path))


def _turn(path: Path) -> int:
    folder = path.relative_to(_HERE).parts[0]
    return _TURNS.index(folder) if folder in _TURNS else len(_TURNS)


@pytest.fixture(autouse=True)
def no_real_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Moves the home and every application-data directory into the test's own directory."""
    moved = ("HOME", "USERPROFILE", "LOCALAPPDATA", "APPDATA", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR")
    for name in moved:
        monkeypatch.setenv(name, str(tmp_path / "elsewhere" / name.lower()))
    for name in ("ROOSYNC_HOME", "ROOSYNC_API", "ROOSYNC_TOKEN_FILE", "ROOSYNC_MACHINE_ID", "ROOSYNC_SHARED_PATH"):
        monkeypatch.delenv(name, raising=False)
