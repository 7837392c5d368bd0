"""A node for each machine of a fleet of coding agents.

Nodes find each other, exchange signed heartbeats and entries directly, and keep what they were told. Importing this
package is cheap on purpose: the command line must feel instant, so the public client is loaded on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from roosync_p2p.version import __version__

if TYPE_CHECKING:
    from roosync_p2p.api.client import Client
    from roosync_p2p.api.sync_client import SyncClient

__all__ = ["Client", "SyncClient", "__version__"]

_LAZY = {"Client": "roosync_p2p.api.client", "SyncClient": "roosync_p2p.api.sync_client"}


def __getattr__(name: str) -> object:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib  # noqa: PLC0415 - only when the client is wanted

    return getattr(importlib.import_module(_LAZY[name]), name)
