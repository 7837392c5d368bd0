"""Where the home is when a program names none: the node's own answer, loaded when it is asked for."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

__all__ = ["default_home"]


def default_home(environ: Mapping[str, str]) -> Path:
    """``ROOSYNC_HOME``, else the platform's local data directory."""
    from roosync_p2p.adapters.home import resolve_home  # noqa: PLC0415 - costs start-up time

    return resolve_home(None, environ, sys.platform).path
