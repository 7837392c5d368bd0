"""The store on disk: SQLite behind the port of the core. Begin with ``store``."""

from roosync_p2p.adapters.sqlite.store import SqliteStore, StoreFacts

__all__ = ["SqliteStore", "StoreFacts"]
