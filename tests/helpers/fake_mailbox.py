"""The mailbox of a node without a fleet: a small implementation over the messages of the fake backend."""

from __future__ import annotations

from typing import Any

from roosync_p2p.api.mailbox_schemas import AckRequest, AmendRequest, ArchiveMessagesRequest, SearchRequest, TakeRequest
from roosync_p2p.errors import InputFault

__all__ = ["FakeMailbox"]


class FakeMailbox:
    """Every message of the fake backend is in every inbox."""

    def __init__(self, messages: dict[str, dict[str, Any]]) -> None:
        self._messages = messages

    async def ack(self, message_id: str, asked: AckRequest) -> dict[str, Any]:
        """Of acted and declined the first stays."""
        message = self._found(message_id)
        state = "declined" if asked.decline else "acted"
        if set(message["states"].values()) & ({"acted", "declined"} - {state}):
            raise InputFault("the message was answered before", code="already_answered")
        message["states"] = dict.fromkeys(message["states"], state)
        message["status"] = "read"
        said = {"workspace": asked.workspace, "state": state, "time": message["time"], "note": asked.note}
        message["receipts"] = [{"machine": machine, **said} for machine in message["states"]]
        return message

    async def take(self, message_id: str, asked: TakeRequest) -> dict[str, Any]:
        """Whoever asks has it."""
        self._found(message_id)
        session = f"of {asked.secret}" if asked.secret else f"{asked.user}/{asked.process}"
        return {"id": message_id, "session": session, "workspaces": [asked.workspace], "until": "2026-01-15T10:00:00Z"}

    async def archive(self, asked: ArchiveMessagesRequest) -> dict[str, Any]:
        """All or none."""
        for message in [self._found(message_id) for message_id in asked.ids]:
            message["status"] = "archived"
        return {"archived": list(asked.ids)}

    async def keep(self, message_id: str, *, kept: bool) -> dict[str, Any]:
        """Remembered."""
        self._found(message_id)["kept"] = kept
        return {"id": message_id, "kept": kept}

    async def amend(self, message_id: str, asked: AmendRequest) -> dict[str, Any]:
        """The old body is its history."""
        message = self._found(message_id)
        old = {"body": message["body"], "time": message["time"], "reason": "", "read_by": ["myia-po-2023"]}
        new = {"body": asked.body, "time": message["time"], "reason": asked.reason, "read_by": []}
        message |= {"body": asked.body, "amended": True, "history": [old, new]}
        return message

    async def search(self, asked: SearchRequest) -> dict[str, Any]:
        """As the words stand there."""
        found = [message for message in self._messages.values() if asked.words in message["subject"]]
        return {"messages": found, "next": None}

    async def thread(self, thread_id: str) -> dict[str, Any]:
        """Answers stand one deeper."""
        found = [message for message in self._messages.values() if message["thread_id"] == thread_id]
        if not found:
            raise InputFault(f"there is no thread {thread_id}", code="no_such_thread")
        return {
            "thread_id": thread_id,
            "messages": [
                {**message, "depth": int(message["in_reply_to"] is not None), "read_by": []} for message in found
            ],
            "count": len(found),
            "participants": ["myia-ai-01"],
            "last_activity": found[-1]["time"],
            "unread": 0,
            "commits": [
                {
                    "number": 42,
                    "kind": "claim.acquire",
                    "author": "myia-ai-01",
                    "time": found[-1]["time"],
                    "outcome": {"accepted": False, "reason": "claim_held"},
                }
            ],
        }

    def _found(self, message_id: str) -> dict[str, Any]:
        if message_id not in self._messages:
            raise InputFault(f"there is no message {message_id}", code="no_such_message")
        return self._messages[message_id]
