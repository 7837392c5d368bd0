"""Records the frozen sealed message: ``python -m tests.vectors.record_sealed_message``.

Sealing draws keys, so the box is another one at each recording; everything else is the same on every machine. What was
frozen once has to open for ever.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from roosync_p2p.adapters.sealing import seal_text
from roosync_p2p.codec.digests import sha256
from roosync_p2p.codec.records import encode
from roosync_p2p.ids import FleetId, MachineId, MessageId
from roosync_p2p.mailbox.sealed import SealedFile, SealedText, seal_info

__all__ = ["FLEET", "ID", "PRIVATE", "READERS", "SENDER", "TO", "VECTOR", "info", "text"]

VECTOR: Final = Path(__file__).with_name("sealed_message.json")
FLEET: Final = FleetId(sha256(b"fleet"))
SENDER: Final = MachineId("machine-a")
ID: Final = MessageId("msg-20260115T091530-a1b2c3")
TO: Final = ("machine-b:web", "machine-c")
READERS: Final = tuple(MachineId(f"machine-{letter}") for letter in "abc")
PRIVATE: Final = {machine: sha256(machine.encode()) for machine in READERS}


def info() -> bytes:
    """What the frozen text is bound to."""
    return seal_info(fleet=FLEET, sender=SENDER, message=ID, to=TO, machines=READERS)


def text() -> SealedText:
    """The frozen text."""
    file = SealedFile(name="écran.png", size=3, sha256=sha256(b"png"), key=sha256(b"key"))
    return SealedText(subject="Réunion", body="à 14 h", tags=("équipe",), files=(file,))


def build() -> dict[str, Any]:
    """The vector, with a fresh box."""
    keys = {m: X25519PrivateKey.from_private_bytes(raw).public_key().public_bytes_raw() for m, raw in PRIVATE.items()}
    return {
        "private": {machine: raw.hex() for machine, raw in PRIVATE.items()},
        "public": {machine: raw.hex() for machine, raw in keys.items()},
        "info": info().hex(),
        "text": encode(text()).hex(),
        "box": seal_text(text(), keys=keys, info=info()).hex(),
    }


if __name__ == "__main__":
    VECTOR.write_text(json.dumps(build(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8", newline="\n")
