"""Agents that want the same name at once: one winner, who holds a larger token each time, and a loser who is told.

A few hundred races here; ``ROOSYNC_TEST_RACES=1000`` by hand.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from typing import Any, Final

import pytest

from roosync_p2p import Client
from roosync_p2p.errors import InputFault
from tests.helpers.fleet import Fleet, Machine

RACES: Final = int(os.environ.get("ROOSYNC_TEST_RACES", "100"))


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    with Fleet.found("alice", "berta") as fleet:
        fleet.start_all()
        fleet.until_linked()
        for machine in fleet.machines.values():
            machine.until_ready()
        yield fleet


def _agent(machine: Machine, number: int) -> tuple[Client, dict[str, object]]:
    return Client(machine.home), {"user": f"{machine.name}-agent", "process": number}


@pytest.mark.parametrize("where", ["two machines", "one machine"])
def test_of_two_agents_that_claim_at_once_one_wins_and_the_other_is_told_who_where_and_until_when(
    fleet: Fleet, where: str
) -> None:
    alice, berta = fleet.machines["alice"], fleet.machines["berta"]
    agents = [_agent(alice, 1), _agent(berta if where == "two machines" else alice, 2)]
    machines = ["alice", "berta" if where == "two machines" else "alice"]
    tokens = asyncio.run(_race(agents, machines, f"issue on {where}"))
    assert len(tokens) == RACES
    assert tokens == sorted(set(tokens)), "fencing tokens only grow"


async def _race(agents: list[tuple[Client, dict[str, object]]], machines: list[str], name: str) -> list[int]:
    tokens = []
    for _ in range(RACES):
        answers = await asyncio.gather(
            *(client.claim(name, ttl_s=600, speaker=speaker) for client, speaker in agents), return_exceptions=True
        )
        winners = [number for number, answer in enumerate(answers) if isinstance(answer, dict)]
        assert len(winners) == 1, answers
        winner = winners[0]
        won: Any = answers[winner]
        lost = answers[1 - winner]
        assert isinstance(lost, InputFault), lost
        assert lost.code == "claim_held"
        assert lost.details["holder"] == won["holder"]
        assert won["holder"]["machine"] == machines[winner]
        assert lost.details["expires_at"] == won["expires_at"]
        tokens.append(won["token"])
        client, speaker = agents[winner]
        await client.release_claim(name, won["token"], speaker=speaker)
    return tokens
