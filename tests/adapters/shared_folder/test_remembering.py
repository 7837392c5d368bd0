"""Which folder a home uses is written into its settings once, and what they say stays."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from roosync_p2p.adapters.home import Home, create_home, read_settings
from roosync_p2p.adapters.shared_folder.remembering import remember_folder
from roosync_p2p.core.settings import parse_toml


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    create_home(home, os.environ)
    return home


def test_a_home_without_settings_gets_the_folder(home: Home, tmp_path: Path) -> None:
    folder = tmp_path / 'Mon "Drive" à moi'
    assert remember_folder(home, folder)
    assert parse_toml(read_settings(home)).folder.path == (str(folder),)


def test_what_the_settings_say_stays(home: Home, tmp_path: Path) -> None:
    home.settings_file.write_text('\ufeff[node]\nmachine = "machine-a"  # ours\n', encoding="utf-8")
    home.settings_file.chmod(0o600)
    assert remember_folder(home, tmp_path)
    text = home.settings_file.read_text(encoding="utf-8")
    assert text.startswith('[node]\nmachine = "machine-a"  # ours\n\n[folder]\n')
    before = home.settings_file.read_bytes()
    assert not remember_folder(home, tmp_path / "another")
    assert home.settings_file.read_bytes() == before
