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

# A shell's background job ignores SIGINT, and so would every program that a test starts in it and interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def no_real_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Moves the home and every application-data directory into the test's own directory."""
    moved = ("HOME", "USERPROFILE", "LOCALAPPDATA", "APPDATA", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR")
    for name in moved:
        monkeypatch.setenv(name, str(tmp_path / "elsewhere" / name.lower()))
    for name in ("ROOSYNC_HOME", "ROOSYNC_API", "ROOSYNC_TOKEN_FILE", "ROOSYNC_MACHINE_ID", "ROOSYNC_SHARED_PATH"):
        monkeypatch.delenv(name, raising=False)
