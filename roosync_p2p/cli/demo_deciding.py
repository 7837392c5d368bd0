"""The part of the demonstration where the fleet decides: a race for a claim, and two decisions in conflict."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from roosync_p2p.cli.demo_processes import DemoNode
from roosync_p2p.cli.demo_show import DemoShow
from roosync_p2p.errors import EnvironmentFault, InputFault, RoosyncError

__all__ = ["claim_race", "conflict"]

_CLAIM: Final = "issue-482"
_RESOURCE: Final = "config:ci.json#/python"

Until = Callable[[str, Callable[[], bool]], None]


def claim_race(nodes: Sequence[DemoNode], show: DemoShow) -> None:
    """All claim one name at once; one gets it, and the others are told who.

    Raises:
        EnvironmentFault: ``demo_claims``: it was otherwise.
    """
    show.begin_step("claim", name=_CLAIM)
    answers: dict[str, dict[str, Any] | RoosyncError] = {}
    began_s = time.monotonic()

    def claim(node: DemoNode) -> None:
        try:
            answers[node.machine] = node.client.claim(_CLAIM)
        except RoosyncError as error:
            answers[node.machine] = error

    racing = [threading.Thread(target=claim, args=(node,), name=f"claim of {node.machine}") for node in nodes]
    for thread in racing:
        thread.start()
    for thread in racing:
        thread.join()
    show.figures["claimed_ms"] = (time.monotonic() - began_s) * 1000
    winners = [machine for machine, answer in answers.items() if isinstance(answer, dict)]
    losers = {machine: answer for machine, answer in answers.items() if isinstance(answer, RoosyncError)}
    if len(winners) != 1 or any(not _told(answer, winners[0]) for answer in losers.values()):
        raise EnvironmentFault(f"the race for a claim ended with {answers}", code="demo_claims")
    won = answers[winners[0]]
    assert isinstance(won, dict)
    show.say("claimed", machine=winners[0], token=won["token"])
    for machine in sorted(losers):
        show.say("told", machine=machine, holder=winners[0])


def conflict(nodes: Sequence[DemoNode], show: DemoShow, until: Until) -> None:
    """Two machines decide opposite things; it is found, resolved, and the same everywhere.

    Raises:
        EnvironmentFault: ``demo_decisions``: it was otherwise.
    """
    founder, first, second = nodes[0], nodes[-1], nodes[-2]
    show.begin_step("decide", first=first.machine, second=second.machine)
    began_s = time.monotonic()
    earlier = first.client.propose("Python 3.12", [_set("3.12")], targets=["all"])
    later = second.client.propose("Python 3.13", [_set("3.13")], targets=["all"], based_on=earlier["based_on"])
    founder.client.approve(earlier["id"])
    conflicted = founder.client.approve(later["id"])
    if conflicted["state"] != "conflicted":
        raise EnvironmentFault(f"the later decision is {conflicted['state']}", code="demo_decisions")
    show.say("conflict", earlier=earlier["id"], later=later["id"])
    founder.client.resolve(later["id"], later["id"])
    wanted = {earlier["id"]: "superseded", later["id"]: "approved"}
    until("the same decisions everywhere", lambda: all(_states(node) == wanted for node in nodes))
    show.figures["decided_ms"] = (time.monotonic() - began_s) * 1000
    until("the same state everywhere", lambda: len(_digests(nodes)) == 1)
    (digest,) = _digests(nodes)
    show.say("resolved", later=later["id"], earlier=earlier["id"], digest=digest[:16])


def _told(answer: RoosyncError, winner: str) -> bool:
    holder = answer.details.get("holder")
    return isinstance(answer, InputFault) and isinstance(holder, dict) and holder.get("machine") == winner


def _set(value: str) -> dict[str, Any]:
    return {"op": "set", "resource": _RESOURCE, "value": value}


def _states(node: DemoNode) -> dict[str, str]:
    return {str(row["id"]): str(row["state"]) for row in node.client.decisions()["decisions"]}


def _digests(nodes: Sequence[DemoNode]) -> set[str]:
    return {str(node.client.status()["commit"]["digest"]) for node in nodes}
