"""What the tests of the mail services ask for."""

from __future__ import annotations

import dataclasses

from roosync_p2p.node.requests import SendAsked

__all__ = ["asked"]


def asked(to: str = "machine-a", **changes: object) -> SendAsked:
    """A question to send."""
    question = SendAsked(
        to=(to,),
        subject="Réunion",
        body="Prêt ? 🎉",
        type="question",
        priority="HIGH",
        tags=("équipe",),
        thread_id=None,
        workspace=None,
        idempotency_key=None,
    )
    return dataclasses.replace(question, **changes)  # type: ignore[arg-type]  # fields of the test's choice
