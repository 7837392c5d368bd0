"""That a backup of this home was made, where a restart finds it: ``backup.made`` in the home (docs/admin.md).

It names the keys that the backup holds. One from before a rotation holds the old key and is no way back, so it does not
count any more.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from roosync_p2p.adapters.keystore import Identity
from roosync_p2p.adapters.permissions import write_private
from roosync_p2p.clock import rfc3339
from roosync_p2p.ids import KeyId

__all__ = ["is_backed_up", "mark_backup"]

_NAME: Final = "backup.made"


def mark_backup(home: Path, identity: Identity, *, wall_ms: int) -> None:
    """Notes that a backup holds the keys of this identity.

    Raises:
        EnvironmentFault: the disk.
    """
    keys = [identity.key] + ([] if identity.issuer_key is None else [identity.issuer_key])
    document = {"time": rfc3339(wall_ms), "keys": [key.key_id.hex() for key in keys]}
    write_private(home / _NAME, (json.dumps(document) + "\n").encode())


def is_backed_up(home: Path, keys: Iterable[KeyId]) -> bool:
    """Whether a backup was made that holds these keys; not if its note cannot be read."""
    try:
        document = json.loads((home / _NAME).read_bytes())
    except (OSError, ValueError):
        return False
    held = document.get("keys") if isinstance(document, dict) else None
    return isinstance(held, list) and {key.hex() for key in keys} <= {str(key) for key in held}
