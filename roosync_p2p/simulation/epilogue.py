"""In the quiet after convergence one machine is killed, stopped or cut off, and has to be noticed in time.

The limits are those that users are promised: a kill is known everywhere within a second, a stop within five.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from roosync_p2p.liveness.verdicts import State
from roosync_p2p.simulation.checkers.liveness import Detection
from roosync_p2p.simulation.dice import Dice
from roosync_p2p.simulation.member import Member

if TYPE_CHECKING:
    from roosync_p2p.simulation.world import World

__all__ = ["Epilogue"]

KILL_S: Final = 1.0
STOP_S: Final = 5.0
CUT_S: Final = 16.0  # the silent links, the longest proof of being connected, and a redial
BACK_S: Final = 9.0  # a start-up check, and the next heartbeat
REACHED_S: Final = 40.0  # after a cut: the longest pause between redials, and a heartbeat
CONFIRM_S: Final = 4.0  # links stand, and each knows that the other's address answers


class Epilogue:
    """One such test for each world, drawn from its seed."""

    def __init__(self, world: World, dice: Dice) -> None:
        self._world = world
        self._dice = dice

    def play(self) -> None:
        """Runs it; what is not noticed in time is found."""
        world = self._world
        world.fleet.run(CONFIRM_S)
        self._expect("is well", None, (State.ONLINE,), CONFIRM_S)
        member = self._dice.choose(world.fleet.running())
        self._dice.choose((self._kill, self._stop, self._cut_off))(member)

    def _kill(self, member: Member) -> None:
        """Known within a second by those who reached its address before, and through them by the others."""
        machine = member.identity.machine
        met = [other for other in self._world.fleet.running() if other.node().dialling.confirmed(machine)]
        if member.name in self._world.watch.truth.ever_firewalled:
            met = []
        member.crash()
        self._world.fleet.run(KILL_S)
        for judge in met:
            if judge is not member:
                self._detect("was killed", judge, member, (State.OFFLINE,), KILL_S)
        self._world.fleet.run(STOP_S - KILL_S)
        self._expect("was killed", member, (State.OFFLINE,), STOP_S)
        self._world.start(member)
        self._world.fleet.run(BACK_S)
        self._expect("came back", member, (State.ONLINE,), BACK_S)
        self._world.watch.active["detected_kill"] += 1

    def _stop(self, member: Member) -> None:
        member.pause()
        self._world.watch.truth.stopped(member.name, "paused")
        self._world.fleet.run(STOP_S)
        self._expect("was stopped", member, (State.OFFLINE,), STOP_S)
        self._world.wake(member)
        self._world.fleet.run(BACK_S)
        self._expect("came back", member, (State.ONLINE,), BACK_S)
        self._world.watch.active["detected_stop"] += 1

    def _cut_off(self, member: Member) -> None:
        """Whoever is cut off from everybody knows that it knows nothing."""
        world = self._world
        layer = world.fleet.isolate(member.name)
        world.fleet.run(CUT_S)
        # A shared folder may reach the others all the same, and then shows that they live.
        right = (State.UNKNOWN,) if world.fleet.share is None else (State.UNKNOWN, State.ONLINE)
        for other in world.fleet.running():
            if other is not member:
                self._detect("is cut off from", member, other, right, CUT_S)
        world.fleet.paths.remove(layer)
        waited_s = 0.0
        while waited_s < REACHED_S and not self._all_online():
            world.fleet.run(1.0)
            waited_s += 1.0
        self._expect("is reachable again", None, (State.ONLINE,), waited_s)
        world.watch.active["detected_cut"] += 1

    def _all_online(self) -> bool:
        members = self._world.fleet.running()
        return all(
            judge is judged or self._state(judge, judged) == State.ONLINE for judge in members for judged in members
        )

    def _state(self, judge: Member, judged: Member) -> str:
        machine = judged.identity.machine
        return judge.node().presence.liveness.verdict(machine, judge.clock.now()).state

    def _expect(self, what: str, member: Member | None, wanted: tuple[str, ...], after_s: float) -> None:
        running = self._world.fleet.running()
        judged = [member] if member is not None else running
        for judge in running:
            for machine in judged:
                if judge is not machine:
                    self._detect(what, judge, machine, wanted, after_s)

    def _detect(self, what: str, judge: Member, judged: Member, wanted: tuple[str, ...], after_s: float) -> None:
        world = self._world
        machine = str(judged.identity.machine)
        detection = Detection(
            what=what,
            judge=judge.name,
            machine=machine,
            wanted=wanted,
            state=self._state(judge, judged),
            after_s=after_s,
        )
        world.watch.found(world.watch.liveness.detected(detection, world.fleet.now_s))
