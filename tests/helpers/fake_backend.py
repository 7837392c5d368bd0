"""A node without a fleet: a real, small implementation of the API's Backend, in memory and without a clock."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from typing import Any

from roosync_p2p.api.events import Event
from roosync_p2p.api.schemas import (
    CountersignatureOffer,
    InboxRequest,
    InviteRequest,
    IssueRequest,
    ReadRequest,
    RenewCertificateRequest,
    ReplyRequest,
    SendRequest,
)
from roosync_p2p.errors import InputFault
from roosync_p2p.ids import MachineId, parse_address
from tests.helpers.fake_attachments import FakeAttachments
from tests.helpers.fake_decisions import FakeBaseline, FakeDecisions
from tests.helpers.fake_ledger import FakeClaims, FakeLedger
from tests.helpers.fake_mailbox import FakeMailbox

__all__ = ["FakeBackend"]

TIME = "2026-01-15T09:15:30.000Z"
_OTHER = "myia-po-2023"


@dataclasses.dataclass
class FakeBackend:
    """One machine, ``machine``, whose messages to itself arrive, and one other that never reads."""

    machine: str = "myia-ai-01"
    messages: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    history: list[Event] = dataclasses.field(default_factory=list)
    pending: dict[str, Any] | None = None
    offered: list[str] = dataclasses.field(default_factory=list)
    stopping: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)
    failure: Exception | None = None
    waiting: int = 0
    changed: asyncio.Condition = dataclasses.field(default_factory=asyncio.Condition)
    ledger: FakeLedger = dataclasses.field(init=False)
    claims: FakeClaims = dataclasses.field(init=False)
    decisions: FakeDecisions = dataclasses.field(init=False)
    baseline: FakeBaseline = dataclasses.field(init=False)
    mailbox: FakeMailbox = dataclasses.field(init=False)
    attachments: FakeAttachments = dataclasses.field(default_factory=FakeAttachments)

    def __post_init__(self) -> None:
        self.mailbox = FakeMailbox(self.messages)
        self.ledger = FakeLedger(self.machine)
        self.claims = FakeClaims(self.ledger)
        self.decisions = FakeDecisions(self.ledger)
        self.baseline = FakeBaseline(self.decisions)

    def status(self) -> dict[str, Any]:
        """The node's state."""
        if self.failure is not None:
            raise self.failure
        return {
            "machine": self.machine,
            "state": "synced",
            "last_sync": TIME,
            "summary": {"machines": 2, "online": 2, "differences": None, "decisions_pending": None},
            "fleet": "ab" * 32,
            "boot_id": "cd" * 16,
            "version": "0.1.0",
            "links": 1,
            "commit": None,
            "folder": None,
            "warnings": [{"code": "one_issuer", "message": "there is one issuer", "remedy": "add a second"}],
            **self.machines(),
        }

    def machines(self) -> dict[str, Any]:
        """The fleet."""
        direct = {"path": "direct", "via": None, "age_s": 0.4}
        return {
            "machines": [
                _machine(self.machine, {"path": "none", "via": None, "age_s": None}, is_self=True),
                _machine(_OTHER, direct, is_self=False),
            ]
        }

    async def why(self, of: str) -> dict[str, Any]:
        """Messages alone: nobody else holds one."""
        if of not in self.messages:
            raise InputFault(f"{of} names nothing that is known here", code="nothing_named")
        evidence = {"path": "direct", "via": None, "age_s": 7200.0}
        told = {"waits_for": "return", "from": [self.machine], "machine": "offline", "evidence": evidence, "ways": None}
        states = self.messages[of]["states"]
        recipients = [{"recipient": name, "state": state, **told} for name, state in states.items()]
        message = {"id": of, "signer": self.machine, "here": True, "holders": [self.machine], "recipients": recipients}
        return {
            "kind": "message",
            "of": of,
            "waits_for": [{"code": "return"}],
            "as_of": 1,
            "stale": False,
            "message": message,
        }

    async def send(self, request: SendRequest) -> dict[str, Any]:
        """Stores a message; what is addressed to this machine is in its inbox."""
        message_id = f"msg-20260115T091530-{len(self.messages):06x}"
        addresses = [parse_address(to) for to in request.to]
        here = [a for a in addresses if a.reaches(MachineId(self.machine))]
        self.messages[message_id] = {
            "id": message_id,
            "from": self.machine,
            "to": [str(address) for address in addresses],
            "subject": request.subject,
            "type": request.type,
            "priority": request.priority,
            "tags": list(request.tags),
            "thread_id": request.thread_id or message_id,
            "in_reply_to": None,
            "status": "unread" if here else "archived",
            "time": TIME,
            "verified": True,
            "signer": self.machine,
            "body": request.body,
            "attachments": [],
            "states": {str(a): "delivered" if a in here else "sent" for a in addresses},
        }
        await self.notify("message" if here else "sent", {"id": message_id})
        return self._sent(message_id)

    async def reply(self, message_id: str, request: ReplyRequest) -> dict[str, Any]:
        """Sends to the author of a message."""
        original = self._find(message_id)
        sent = await self.send(
            SendRequest(to=(original["from"],), subject=f"Re: {original['subject']}", body=request.body)
        )
        self.messages[sent["id"]] |= {"in_reply_to": message_id, "thread_id": original["thread_id"]}
        return self._sent(sent["id"])

    async def read(self, message_id: str, request: ReadRequest) -> dict[str, Any]:
        """Marks it."""
        message = self._find(message_id)
        message["status"] = "read"
        message["states"] = dict.fromkeys(message["states"], "read")
        await self.notify("receipt", {"id": message_id, "workspace": request.workspace})
        return message

    async def inbox(self, request: InboxRequest) -> dict[str, Any]:
        """A page of what fits."""
        self.waiting += 1
        try:
            async with self.changed:
                while not (page := self._page(request)) and request.wait_s:
                    await self.changed.wait()
        finally:
            self.waiting -= 1
        return {"messages": page[: request.limit], "next": None}

    async def message(self, message_id: str) -> dict[str, Any]:
        """Without marking."""
        return self._find(message_id)

    async def invite(self, request: InviteRequest) -> dict[str, Any]:
        """A code that opens nothing."""
        return {"code": "RS1-AAAA-BBBB", "machine": request.machine, "expires": TIME}

    async def issue(self, request: IssueRequest) -> dict[str, Any]:
        """Refuses: this machine is no issuer."""
        raise InputFault("this machine is no issuer", code="not_an_issuer", details={"bytes": len(request.request_pem)})

    async def renew_certificate(self, request: RenewCertificateRequest) -> dict[str, Any]:
        """Valid for a year, wherever from."""
        return {"machine": "myia-ai-01", "not_after": "2027-01-15T09:15:30.000Z" if request.at is None else request.at}

    async def rotate_key(self) -> dict[str, Any]:
        """Another key, at once."""
        renewed = {"machine": "myia-ai-01", "not_after": "2027-01-15T09:15:30.000Z"}
        return {**renewed, "key": "22" * 32, "former": "11" * 32, "ordered": True}

    def pending_countersignature(self) -> dict[str, Any] | None:
        """What the test put there."""
        return self.pending

    async def offer_countersignature(self, offer: CountersignatureOffer) -> None:
        """Keeps it for the test."""
        self.offered.append(offer.envelope)

    async def events(self, after: int | None) -> AsyncIterator[Event]:
        """History after an id, then what comes."""
        position = len(self.history) if after is None else after
        while True:
            async with self.changed:
                while len(self.history) <= position:
                    await self.changed.wait()
            yield self.history[position]
            position += 1

    async def shutdown(self) -> None:
        """Sets the event that whoever runs the server waits for."""
        self.stopping.set()

    async def doctor(self) -> dict[str, Any]:
        """Two checks, one of them failed as a warning."""
        return {
            "checks": [
                {"id": "store", "ok": True, "severity": "error", "message": "the store is whole", "remedy": ""},
                {"id": "clock", "ok": False, "severity": "warning", "message": "2 s off", "remedy": "set the clock"},
            ]
        }

    async def notify(self, kind: str, data: dict[str, Any]) -> None:
        """Something happens; event ids count from 1."""
        async with self.changed:
            self.history.append(Event(id=len(self.history) + 1, type=kind, data=data, time=TIME))
            self.changed.notify_all()

    def _find(self, message_id: str) -> dict[str, Any]:
        if message_id not in self.messages:
            raise InputFault(f"there is no message {message_id}", code="no_such_message", remedy="see `roosync inbox`")
        return self.messages[message_id]

    def _page(self, request: InboxRequest) -> list[dict[str, Any]]:
        hidden = ("body", "attachments", "states")
        return [
            {name: value for name, value in message.items() if name not in hidden}
            for message in self.messages.values()
            if request.status in ("all", message["status"]) and self._in_inbox(message, request.workspaces)
        ]

    def _in_inbox(self, message: dict[str, Any], workspaces: tuple[str, ...] | None) -> bool:
        inboxes = {parse_address(to).workspace or "" for to in message["to"]}
        return workspaces is None or bool(inboxes & set(workspaces))

    def _sent(self, message_id: str) -> dict[str, Any]:
        message = self.messages[message_id]
        return {"id": message_id, "thread_id": message["thread_id"], "states": message["states"]}


def _machine(machine: str, evidence: dict[str, Any], *, is_self: bool) -> dict[str, Any]:
    return {
        "machine": machine,
        "state": "online",
        "self": is_self,
        "evidence": evidence,
        "sessions": [],
        "version": "0.1.0",
        "commit_size": None,
        "addresses": ["192.0.2.1:47600"],
    }
