"""What a client can ask about messages beyond sending and reading them (docs/protocol/api.md §4.1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from roosync_p2p.api.calls import Calls, path_of
from roosync_p2p.api.exchange import Call
from roosync_p2p.api.speaker import Speaker, sender

__all__ = ["MailboxMethods"]

A = TypeVar("A")


class MailboxMethods(Calls[A]):
    """``A`` is what a call gives: an object, or something to await."""

    def ack(
        self,
        message_id: str,
        *,
        decline: bool = False,
        note: str = "",
        workspace: str | None = None,
        speaker: Speaker | None = None,
    ) -> A:
        """Says that a message was acted on or, with ``decline``, that nobody will: the message with its states.

        Args:
            speaker: in whose name: ``{"secret"}`` of a session, or ``{"user", "process"}``, by default this program.
        """
        body = {"decline": decline, "note": note, "workspace": workspace, **sender(None, speaker)}
        return self._do(Call(method="POST", path=path_of("messages", message_id, "/ack"), body=body))

    def take(
        self,
        message_id: str,
        *,
        lease_s: float | None = None,
        workspace: str | None = None,
        speaker: Speaker | None = None,
    ) -> A:
        """Works on a message, so that no other session does: ``{"id", "session", "workspaces", "until"}``.

        Args:
            lease_s: if it is not read within this, it is free again.
            speaker: as of :meth:`ack`.
        """
        body: dict[str, object] = {"workspace": workspace, **sender(None, speaker)}
        if lease_s is not None:
            body["lease_s"] = lease_s
        return self._do(Call(method="POST", path=path_of("messages", message_id, "/take"), body=body))

    def amend(
        self,
        message_id: str,
        body: str,
        *,
        reason: str = "",
        secret: str | None = None,
        workspace: str | None = None,
        speaker: Speaker | None = None,
    ) -> A:
        """Gives an own message another body: the message with its history.

        Args:
            secret: of the session in which it was sent, if it was in one.
            speaker: without a secret, who amends it: ``{"user", "process"}``, by default this program.
        """
        request = {"body": body, "reason": reason, "workspace": workspace, **sender(secret, speaker)}
        return self._do(Call(method="POST", path=path_of("messages", message_id, "/amend"), body=request))

    def keep(self, message_id: str, *, kept: bool = True) -> A:
        """Has retention leave a message alone on this machine, or no more: ``{"id", "kept"}``."""
        return self._do(Call(method="POST", path=path_of("messages", message_id, "/keep"), body={"kept": kept}))

    def archive(self, message_ids: Sequence[str], *, workspace: str | None = None, speaker: Speaker | None = None) -> A:
        """Puts messages aside, all or none: ``{"archived"}``. ``speaker``: as of :meth:`ack`."""
        body = {"ids": list(message_ids), "workspace": workspace, **sender(None, speaker)}
        return self._do(Call(method="POST", path="/v1/archive", body=body))

    def search(self, words: str, *, limit: int = 50, before: str | None = None) -> A:
        """A page of messages to and from this machine that have all the words: ``{"messages", "next"}``."""
        query = [("words", words), ("limit", str(limit))]
        query += [] if before is None else [("before", before)]
        return self._do(Call(method="GET", path="/v1/search", query=tuple(query)))

    def thread(self, thread_id: str) -> A:
        """A thread by its name or by a message in it: ``{"thread_id", "messages", "participants", …}``."""
        return self._do(Call(method="GET", path="/v1/thread", query=(("id", thread_id),)))
