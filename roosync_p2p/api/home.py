"""Where the home is: ``--home``, else ``ROOSYNC_HOME``, else the platform's local data directory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

__all__ = ["default_home"]


def default_home(environ: Mapping[str, str]) -> Path:
    """The home when nobody names one: on Windows in %LOCALAPPDATA%, never in the roaming profile."""
    named = environ.get("ROOSYNC_HOME")
    if named:
        return Path(named).expanduser()
    import platformdirs  # noqa: PLC0415 - costs start-up time, and mostly a home is named

    return Path(platformdirs.user_data_dir("roosync", appauthor=False, roaming=False))
