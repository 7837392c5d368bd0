"""Why a message is where it is: facts for each recipient, and what is waited for (docs/protocol/messages.md §10)."""

from __future__ import annotations

from typing import Any

from roosync_p2p.core import view
from roosync_p2p.core.node_core import NodeCore
from roosync_p2p.core.why.machine import way_facts
from roosync_p2p.ids import MachineId
from roosync_p2p.mailbox.watches import machine_of
from roosync_p2p.node.mail_facts import Known

__all__ = ["reasons"]


def reasons(core: NodeCore, known: Known, states: dict[str, str], attachments: list[dict[str, Any]]) -> dict[str, Any]:
    """Who holds a message, and of each recipient its state, the evidence of its machine, and what it waits for."""
    rows = {str(row["machine"]): row for row in view.machines(core)}
    holders = [machine for machine in rows if _holds(core, known, MachineId(machine))]
    return {
        "id": known.row.message_id,
        "signer": known.row.author,
        "here": known.entry is not None,
        "holders": sorted(holders),
        "recipients": [
            _reason(core, name, state, rows.get(machine_of(name)), holders) for name, state in states.items()
        ],
        "attachments": attachments,
        "attachment_holders": core.attachments.holders(known.row.entry),
    }


def _reason(core: NodeCore, name: str, state: str, row: dict[str, object] | None, holders: list[str]) -> dict[str, Any]:
    machine = MachineId(machine_of(name))
    online = row is not None and row["state"] in ("online", "suspect")
    if state == "sent":
        waits = "link" if online else "return"
    elif state == "delivered":
        waits = "reading"
    elif state == "read":
        waits = "answer"
    else:
        waits = "nothing"
    return {
        "recipient": name,
        "state": state,
        "waits_for": waits,
        "from": [holder for holder in holders if holder != machine] if state == "sent" else [],
        "machine": None if row is None else row["state"],
        "evidence": None if row is None else row["evidence"],
        "ways": way_facts(core, machine) if state == "sent" and machine in core.members() else None,
    }


def _holds(core: NodeCore, known: Known, machine: MachineId) -> bool:
    entry = known.entry
    if entry is None:
        return False
    if machine == core.me:
        return True
    return core.delivery.holds(machine, (entry.author, entry.incarnation, entry.chain), entry.sequence)
