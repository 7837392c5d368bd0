"""What a client can ask, defined once for the sync and the async client.

Results are plain JSON objects in the shapes of docs/protocol/api.md §4. Every method raises what the node raised
(:class:`~roosync_p2p.errors.RoosyncError`), :class:`~roosync_p2p.errors.NotRunningError` when none answers, or
:class:`~roosync_p2p.errors.NetworkError` when it hangs up or falls silent.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from roosync_p2p import limits
from roosync_p2p.api.calls import JsonObject, path_of
from roosync_p2p.api.claim_methods import ClaimMethods
from roosync_p2p.api.decision_methods import DecisionMethods
from roosync_p2p.api.exchange import Call
from roosync_p2p.api.mailbox_methods import MailboxMethods
from roosync_p2p.api.ordered_methods import OrderedMethods
from roosync_p2p.api.speaker import Speaker, sender

__all__ = ["JsonObject", "Methods"]

A = TypeVar("A")


class Methods(MailboxMethods[A], OrderedMethods[A], ClaimMethods[A], DecisionMethods[A]):
    """``A`` is what a call gives: an object, or something to await."""

    def status(self) -> A:
        """The node's state, with the machines."""
        return self._do(Call(method="GET", path="/v1/status"))

    def why(self, of: str) -> A:
        """Why something is as it is, and what it waits for: ``{"kind", "of", "waits_for", …}``.

        Args:
            of: a machine, a claim, a decision, a message, or a request of this machine; ``claim:NAME`` and the like
                where a name means several things.
        """
        return self._do(Call(method="GET", path="/v1/why", query=(("of", of),)))

    def machines(self) -> A:
        """The machines with state and evidence."""
        return self._do(Call(method="GET", path="/v1/machines"))

    def send(
        self,
        to: str | Sequence[str],
        subject: str,
        body: str = "",
        *,
        type: str = "text",  # noqa: A002 - the field's name everywhere
        priority: str = "MEDIUM",
        tags: Sequence[str] = (),
        thread_id: str | None = None,
        workspace: str | None = None,
        idempotency_key: str | None = None,
        expires_s: float | None = None,
        ack_within_s: float | None = None,
        escalate: str | None = None,
        secret: str | None = None,
        speaker: Speaker | None = None,
        attachments: Sequence[JsonObject] = (),
        private: bool = False,
    ) -> A:
        """Sends a message: ``{"id", "thread_id", "states"}`` once it is on this machine's disk.

        Args:
            to: ``machine``, ``machine:workspace``, ``all:workspace``, ``all``, or several of them.
            workspace: the sender's.
            idempotency_key: the same key sends the same message once, however often it is called.
            expires_s: nobody need read it later than this from now.
            ack_within_s: its sender hears if somebody has not acted on or declined it by then; ``escalate``, an
                address, too.
            secret: of the session that sends it: only there it can be amended.
            speaker: without a secret, who sends it: ``{"user", "process"}``, by default this program.
            attachments: ``{"name", "sha256", "size"}`` of files that were uploaded.
            private: seal it for the recipients' machines; its files were uploaded as private ones.
        """
        message: dict[str, object] = {
            "to": [to] if isinstance(to, str) else list(to),
            "subject": subject,
            "body": body,
            "type": type,
            "priority": priority,
            "tags": list(tags),
            "thread_id": thread_id,
            "workspace": workspace,
            "idempotency_key": idempotency_key,
            "expires_s": expires_s,
            "ack_within_s": ack_within_s,
            "escalate": escalate,
            **sender(secret, speaker),
            "attachments": list(attachments),
            "private": private,
        }
        return self._do(Call(method="POST", path="/v1/messages", body=message))

    def reply(
        self,
        message_id: str,
        body: str,
        *,
        type: str = "answer",  # noqa: A002 - the field's name everywhere
        priority: str | None = None,
        tags: Sequence[str] = (),
        workspace: str | None = None,
        idempotency_key: str | None = None,
        secret: str | None = None,
        speaker: Speaker | None = None,
        attachments: Sequence[JsonObject] = (),
        private: bool | None = None,
    ) -> A:
        """Replies in the message's thread; the result is that of :meth:`send`. ``private`` None: as the message is."""
        reply: dict[str, object] = {
            "body": body,
            "type": type,
            "priority": priority,
            "tags": list(tags),
            "workspace": workspace,
            "idempotency_key": idempotency_key,
            **sender(secret, speaker),
            "attachments": list(attachments),
            "private": private,
        }
        return self._do(Call(method="POST", path=_message(message_id, "/reply"), body=reply))

    def inbox(
        self,
        *,
        status: str = "unread",
        workspaces: Sequence[str] | None = None,
        limit: int = 50,
        before: str | None = None,
        sender: str | None = None,
        thread_id: str | None = None,
        priority: str | None = None,
        type: str | None = None,  # noqa: A002 - the field's name everywhere
        tag: str | None = None,
        since: str | None = None,
        until: str | None = None,
        wait_s: float = 0.0,
    ) -> A:
        """A page of the inbox: ``{"messages", "next"}``.

        Args:
            status: unread, read, archived or all.
            workspaces: the inboxes to look into, "" for the machine's own; None for all.
            before: the ``next`` of the page before.
            since, until: when it was sent, RFC 3339 with an offset; the first included, the second not.
            wait_s: with an empty page, wait this many seconds for a message.
        """
        optional = {
            "before": before,
            "sender": sender,
            "thread_id": thread_id,
            "priority": priority,
            "type": type,
            "tag": tag,
            "since": since,
            "until": until,
        }
        query = [("status", status), ("limit", str(limit)), ("wait_s", str(wait_s))]
        query += [("workspaces", workspace) for workspace in workspaces or ()]
        query += [(name, value) for name, value in optional.items() if value is not None]
        return self._do(Call(method="GET", path="/v1/messages", query=tuple(query), wait_s=wait_s))

    def message(self, message_id: str) -> A:
        """A message with the states of its recipients, without marking it."""
        return self._do(Call(method="GET", path=_message(message_id)))

    def read(self, message_id: str, *, workspace: str | None = None, speaker: Speaker | None = None) -> A:
        """A message, marked as read by this workspace or, without one, by the machine.

        Args:
            speaker: who reads: ``{"secret"}`` of a session, or ``{"user", "process"}``, by default this program.
        """
        body = {"workspace": workspace, **sender(None, speaker)}
        return self._do(Call(method="POST", path=_message(message_id, "/read"), body=body))

    def invite(self, machine: str | None = None, *, ttl_s: int = 24 * 3600, contacts: Sequence[str] = ()) -> A:
        """A one-time join code for a machine, or for any: ``{"code", "machine", "expires"}``."""
        request = {"machine": machine, "ttl_s": ttl_s, "contacts": list(contacts)}
        return self._do(Call(method="POST", path="/v1/invites", body=request))

    def issue(self, request_pem: str) -> A:
        """Certificates for a request that was carried by hand: ``{"machine", "certificate", "issuer", "root"}``."""
        return self._do(Call(method="POST", path="/v1/certificates", body={"request_pem": request_pem}))

    def renew_certificate(self, at: str | None = None) -> A:
        """This machine's next certificate, now: ``{"machine", "not_after"}``. ``at``: from the issuer there."""
        wait_s = limits.LATE_RENEWAL_S + limits.JOIN_TIMEOUT_S
        return self._do(Call(method="POST", path="/v1/certificates/renew", body={"at": at}, wait_s=wait_s))

    def rotate_key(self) -> A:
        """Another key for this machine: ``{"machine", "key", "former", "not_after", "ordered"}``."""
        return self._do(Call(method="POST", path="/v1/certificates/rotate", body={}, wait_s=3 * limits.ROTATION_S))

    def pending_countersignature(self) -> A:
        """``{"pending": …}``: what waits for a key that is not on the node, or None."""
        return self._do(Call(method="GET", path="/v1/countersignature"))

    def offer_countersignature(self, envelope: str) -> A:
        """Hands in that signature, an envelope in base64."""
        return self._do(Call(method="POST", path="/v1/countersignature", body={"envelope": envelope}))

    def shutdown(self) -> A:
        """Begins the node's orderly end."""
        return self._do(Call(method="POST", path="/v1/shutdown", body={}))

    def doctor(self) -> A:
        """The node's checks of itself: ``{"checks": […]}``."""
        return self._do(Call(method="GET", path="/v1/doctor"))


def _message(message_id: str, rest: str = "") -> str:
    return path_of("messages", message_id, rest)
