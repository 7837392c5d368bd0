"""A person's signature over a verdict, made here and nowhere else (docs/protocol/ledger.md §8).

The passphrase is asked at the terminal and opens the key for one signature. The node gets the signature alone.
"""

from __future__ import annotations

import base64
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from roosync_p2p import limits
from roosync_p2p.adapters.keystore import load_identity
from roosync_p2p.adapters.person_keys import load_person_key, parse_person, require_person_key
from roosync_p2p.api.passphrases import PASSPHRASE_FILE, ask_passphrase, encode_passphrase, require_terminal
from roosync_p2p.errors import InputFault
from roosync_p2p.trust.statements import verdict_bytes

__all__ = ["sign_verdict"]

_REMEDY: Final = "a person decides at a terminal"


def sign_verdict(
    home: Path, name: str, verdict: str, decision: dict[str, Any], *, show: Callable[[], None]
) -> dict[str, object]:
    """What a person says about a decision, signed: ``{"person", "signature", "not_after_ms"}``.

    Args:
        show: shows them the decision; called before they are asked for their passphrase.
        verdict: ``approve``, ``reject``, or ``resolve <decision>``.
        decision: as the API shows it; what is signed is its revision.

    Raises:
        UsageError: ``bad_person``.
        InputFault: ``no_person_key``, ``passphrase_needed``, ``wrong_passphrase``; ``passphrase_file_refused``.
    """
    person = parse_person(name)
    if os.environ.get(PASSPHRASE_FILE):
        raise InputFault(
            f"{PASSPHRASE_FILE} is set, and a person's passphrase never comes from a file; nothing was signed",
            code="passphrase_file_refused",
            remedy=f"unset {PASSPHRASE_FILE} and type it at a terminal",
        )
    require_person_key(home, person)
    require_terminal(f"{person}'s", remedy=_REMEDY)
    show()
    said = ask_passphrase(f"Passphrase of {person}", twice=False, whose=f"{person}'s", remedy=_REMEDY)
    key = load_person_key(home, person, encode_passphrase(said))
    not_after_ms = (int(time.time()) + limits.VERDICT_LIFE_S) * 1000
    signature = key.sign(
        verdict_bytes(
            fleet=load_identity(home).fleet,
            person=person,
            decision=str(decision["id"]),
            revision=bytes.fromhex(str(decision["revision"])),
            verdict=verdict,
            not_after_ms=not_after_ms,
        )
    )
    return {"person": person, "signature": base64.b64encode(signature).decode(), "not_after_ms": not_after_ms}
