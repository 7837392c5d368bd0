"""Who would have to answer for anything to be decided, and what is known of each (docs/protocol/ordering.md §4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from roosync_p2p.consensus.quorum import majority
from roosync_p2p.core import view
from roosync_p2p.core.presence import verdict_data
from roosync_p2p.ids import MachineId

if TYPE_CHECKING:
    from roosync_p2p.core.node_core import NodeCore

__all__ = ["quorum", "undecided_wait"]


def quorum(core: NodeCore) -> dict[str, Any]:
    """What an undecided request waits for, with each voter, whether it is there, and its evidence.

    ``leader``: who leads, as far as this node can tell; None where the one known last is not heard.
    """
    text, details = core.commit.waits_for()
    voters, missing = cast("list[MachineId]", details["voters"]), cast("list[MachineId]", details["missing"])
    return {
        "state": details["state"],
        "text": text,
        "leader": view.leader(core),
        "needed": majority(len(voters)) if voters else None,
        "there": len(voters) - len(missing),
        "missing": missing,
        "voters": [{**_seen(core, voter), "there": voter not in missing} for voter in voters],
    }


def undecided_wait(core: NodeCore) -> dict[str, Any]:
    """The same as something that is waited for. Its ``leader`` is the one known last, whether it is heard or not."""
    found = quorum(core)
    shown = {name: found[name] for name in ("state", "missing", "there", "needed")}
    return {"code": "undecided", **shown, "leader": core.commit.waits_for()[1]["leader"]}


def _seen(core: NodeCore, machine: MachineId) -> dict[str, Any]:
    return verdict_data(core.presence.liveness.verdict(machine, core.desk.now))
