"""Writes into ``settings.toml`` which shared folder a home uses, where the file does not say so already."""

from __future__ import annotations

import json
import os
from pathlib import Path

from roosync_p2p.adapters.home import Home, read_settings
from roosync_p2p.adapters.permissions import write_private
from roosync_p2p.core.settings import parse_toml

__all__ = ["remember_folder"]


def remember_folder(home: Home, folder: Path) -> bool:
    """Whether the settings name a folder now that did not name one before; what they say stays as it is.

    Raises:
        InputFault: the settings are no good; nothing was changed.
    """
    before = read_settings(home)
    settings = parse_toml(before).folder
    if settings.path or b"[folder]" in before:
        return False
    text = before.decode("utf-8-sig").rstrip()
    # A string of JSON is one of TOML, unless it holds a surrogate, which no path that could be opened does.
    section = f"[folder]\npath = {json.dumps(os.fspath(folder.absolute()), ensure_ascii=False)}\n"
    write_private(home.settings_file, (f"{text}\n\n{section}" if text else section).encode())
    return True
