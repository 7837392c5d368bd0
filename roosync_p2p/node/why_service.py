"""Why a message, machine, claim, decision or own request is as it is (docs/protocol/api.md §4.5).

What is asked for is a name, or one behind its kind and a colon. A bare name may mean several things; then none of them
is told of, and the error names them all.
"""

from __future__ import annotations

import re
from typing import Any, Final

import anyio.to_thread

from roosync_p2p import limits
from roosync_p2p.clock import rfc3339
from roosync_p2p.codec.canonical import unpack
from roosync_p2p.core.node_core import NodeCore
from roosync_p2p.core.rows import EntryRow
from roosync_p2p.core.why.claim import claim_facts, claim_waits
from roosync_p2p.core.why.decision import decision_facts, decision_waits
from roosync_p2p.core.why.machine import known_machines, machine_facts, machine_waits
from roosync_p2p.core.why.quorum import quorum, undecided_wait
from roosync_p2p.errors import InputFault
from roosync_p2p.ids import MachineId
from roosync_p2p.ledger.claims import claim_of
from roosync_p2p.ledger.decision_state import decision_of, live_decisions
from roosync_p2p.node.ledger_service import ID_CHARS_MIN, LedgerService
from roosync_p2p.node.mail_facts import MailFacts
from roosync_p2p.node.mail_reasons import reasons

__all__ = ["KINDS", "WhyService"]

KINDS: Final = ("machine", "claim", "decision", "message", "request")

_DECISION = re.compile(r"D[0-9]{1,20}")
_REQUEST = re.compile(rf"[0-9a-f]{{{ID_CHARS_MIN},64}}")

Fact = dict[str, Any]


class WhyService:
    """Explains from facts; changes nothing, and asks nobody else, so it answers also when nothing can be decided."""

    def __init__(self, core: NodeCore, ledger: LedgerService, mail: MailFacts) -> None:
        self._core = core
        self._ledger = ledger
        self._mail = mail

    async def why(self, of: str) -> Fact:
        """What happened to one thing, and what it waits for.

        Raises:
            InputFault: ``nothing_named``, with what can be named; ``ambiguous``: the name of several things.
        """
        asked = [_asked(row) for row in await self._ledger.unordered()]
        kind, _, name = of.strip().partition(":")
        if kind.lower() in KINDS and name:
            kind = kind.lower()
        else:
            name = of.strip()
            kind = await self._meant(name, asked)
        known = self._ledger.freshness()  # of this moment, as the ages are
        canonical, facts, waits = await self._told(kind, name, asked)
        return {"kind": kind, "of": canonical, "waits_for": waits, **known, kind: facts}

    # --- what is meant --------------------------------------------------------------------------------------------

    async def _meant(self, name: str, asked: list[Fact]) -> str:
        """The one kind of thing that has this name."""
        found = [kind for kind in KINDS if await self._is_there(kind, name, asked)]
        if not found:
            raise self._nothing(name, asked)
        if len(found) > 1:
            meant = [f"{kind}:{name}" for kind in found]
            raise InputFault(
                f"{name[:80]} names {len(found)} things: a {' and a '.join(found)}",
                code="ambiguous",
                remedy="say which: " + ", ".join(f"roosync why {one}" for one in meant),
                details={"of": meant},
            )
        return found[0]

    async def _is_there(self, kind: str, name: str, asked: list[Fact]) -> bool:
        state = self._core.commit.state
        if kind == "machine":
            return name.lower() in known_machines(self._core)
        if kind == "claim":
            return claim_of(state, name) is not None or any(row["claim"] == name for row in asked)
        if kind == "decision":
            return bool(_DECISION.fullmatch(name.upper())) and decision_of(state, name.upper()) is not None
        if kind == "message":
            return await self._mail.is_there(name)
        return bool(_REQUEST.fullmatch(name.lower())) and await self._ledger.is_there(name)

    def _nothing(self, name: str, asked: list[Fact]) -> InputFault:
        shown, state = limits.WHY_NAMED_MAX, self._core.commit.state
        claims = sorted(key.partition("/")[2] for key, _ in state.table("claim"))
        named = {
            "machines": known_machines(self._core)[:shown],
            "claims": claims[:shown],
            "decisions": sorted(name for name, _ in live_decisions(state))[:shown],
            "requests": [row["id"][: 2 * ID_CHARS_MIN] for row in asked[:shown]],
        }
        return InputFault(
            f"{name[:80]!r} names no machine, claim, decision, message or request that is known here",
            code="nothing_named",
            remedy="name a machine (`roosync machines`), a claim (`roosync claims`; claim:NAME also if it is free), a "
            "decision (`roosync decision list`), a message (`roosync inbox --status all`), or a request "
            "(`roosync pending`)",
            details=named,
        )

    # --- what is told ---------------------------------------------------------------------------------------------

    async def _told(self, kind: str, name: str, asked: list[Fact]) -> tuple[str, Fact, list[Fact]]:
        """Its canonical name, the facts, and what it waits for."""
        core = self._core
        if kind == "machine":
            machine = MachineId(name.lower())
            if machine not in known_machines(core):
                raise self._nothing(name, asked)
            return machine, machine_facts(core, machine), machine_waits(core, machine)
        if kind == "claim":
            facts = claim_facts(core, name, [row for row in asked if row["claim"] == name])
            return name, facts, claim_waits(core, facts)
        if kind == "decision":
            about = [row for row in asked if row["decision"] == name.upper()]
            decision = decision_facts(core, name.upper(), about)
            if decision is None:
                raise self._nothing(name, asked)
            return name.upper(), decision, decision_waits(core, decision)
        if kind == "message":
            found = await self._mail.found(name)
            opened = await anyio.to_thread.run_sync(self._mail.seals.opened, found.row, found.entry)
            message = reasons(core, found, self._mail.states(found), self._mail.attachments(found, opened))
            waited = sorted({row["waits_for"] for row in message["recipients"]} - {"nothing"}, key=_WORST.index)
            return found.row.message_id, message, [{"code": code} for code in waited]
        return await self._request(name, asked)

    async def _request(self, name: str, asked: list[Fact]) -> tuple[str, Fact, list[Fact]]:
        found = await self._ledger.request(name)
        about = next((row for row in asked if row["id"] == found["id"]), {"claim": None, "decision": None})
        waiting = found["state"] == "pending"
        facts = {
            **found,
            "claim": about["claim"],
            "decision": about["decision"],
            "quorum": quorum(self._core) if waiting else None,
        }
        return str(found["id"]), facts, [undecided_wait(self._core)] if waiting else []


_WORST: Final = ("return", "link", "answer", "reading")


def _asked(row: EntryRow) -> Fact:
    """A request of this machine that has no number yet, and which claim or decision it is about."""
    body = unpack(row.body) if row.body is not None else None
    said = body if isinstance(body, dict) else {}
    family = row.kind.partition(".")[0]
    return {
        "id": row.id.hex(),
        "kind": row.kind,
        "asked_at": rfc3339(row.received_ms),
        "claim": said.get("name") if family in ("claim", "request") else None,
        "decision": said.get("decision") if family == "decision" else None,
    }
