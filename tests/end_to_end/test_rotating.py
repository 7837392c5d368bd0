"""A machine changes its key while it lives: nothing is lost, who was off accepts it, and the old key is out."""

from __future__ import annotations

import os
import threading

import pytest

from tests.helpers.fleet import ADMIN, Fleet, Machine, until


def _key(of: Machine, machine: str) -> str:
    shown = of.json("show", machine, tool=ADMIN)["certificates"]
    return str(next(one for one in shown if one["kind"] == "machine")["key"])


def _bodies(machine: Machine) -> list[str]:
    return sorted(str(message["subject"]) for message in machine.inbox())


class _Sender(threading.Thread):
    """Sends one message after the other to everybody, until told to stop."""

    def __init__(self, machine: Machine) -> None:
        super().__init__(daemon=True)
        self._machine, self._enough = machine, threading.Event()
        self.sent: list[str] = []

    def run(self) -> None:
        while not self._enough.wait(0.02):
            subject = f"{self._machine.name} {len(self.sent)}"
            self._machine.client.send("all", subject, "x")
            self.sent.append(subject)

    def stop(self) -> list[str]:
        self._enough.set()
        self.join(30)
        assert not self.is_alive()
        return self.sent


def test_a_key_is_replaced_while_messages_flow_and_the_old_one_is_out_for_good() -> None:
    with Fleet.found("alice", "berta", "clara") as fleet:
        fleet.let_send()
        alice, berta, clara = fleet.start_all()
        fleet.until_linked()
        until(lambda: berta.json("status")["commit"]["size"] >= 7, 50, what="all are members", shown=fleet.report)
        clara.stop()
        copy = fleet.copy(berta, "copy-of-berta")
        before = _key(alice, "berta")

        senders = [_Sender(alice), _Sender(berta)]
        for sender in senders:
            sender.start()
        until(lambda: all(len(sender.sent) >= 10 for sender in senders), 30, what="messages flow")
        rotated = berta.json("rotate", "--yes", tool=ADMIN)
        assert rotated["former"] == before
        assert rotated["ordered"] is True
        marks = [len(sender.sent) for sender in senders]
        until(
            lambda: all(len(s.sent) >= mark + 10 for s, mark in zip(senders, marks, strict=True)),
            30,
            what="messages go on flowing",
            shown=fleet.report,
        )
        by_alice, by_berta = (sender.stop() for sender in senders)

        # The others know the new key, over links that stand again, and nothing was lost or doubled.
        until(lambda: _key(alice, "berta") == rotated["key"], 10, what="alice knows it", shown=fleet.report)
        fleet.until_linked()
        until(lambda: _bodies(alice) == sorted(by_berta), 30, what="alice has all of it", shown=fleet.report)
        until(lambda: _bodies(berta) == sorted(by_alice), 30, what="berta has all of it", shown=fleet.report)
        assert alice.states()["berta"] == "online"
        assert berta.json("claim", "with the new key", "--timeout", "30")["token"]

        # Who was off comes back, knows only the old key, and takes the new one from the machine itself.
        alice.stop()
        clara.start("--peer", berta.listen)
        until(lambda: clara.states().get("berta") == "online", 30, what="clara accepts it", shown=fleet.report)
        assert _key(clara, "berta") == rotated["key"]
        until(lambda: set(by_berta) <= set(_bodies(clara)), 30, what="clara has all of it", shown=fleet.report)
        alice.start("--peer", berta.listen, "--peer", clara.listen)

        # A copy of the home from before is told, writes nothing, and harms nobody; a restart changes nothing.
        berta.stop()
        copy.start("--peer", alice.listen, "--peer", clara.listen)
        until(lambda: "revoked" in copy.warnings(), 30, what="the copy is told", shown=fleet.report)
        assert "replaced" in copy.warnings()["revoked"]
        assert copy.refusal("send", "alice", "with the old key", "x")["code"] == "not_writing_revoked"
        copy.stop()
        berta.start("--peer", alice.listen, "--peer", clara.listen)
        fleet.until_linked()
        assert {alice.states()["berta"], clara.states()["berta"]} == {"online"}
        assert berta.client.send("all", "at the end", "x")
        until(lambda: "at the end" in _bodies(clara), 30, what="and it goes on", shown=fleet.report)


@pytest.mark.skipif(
    not os.environ.get("ROOSYNC_TEST_ROTATIONS"),
    reason="the same in virtual time: tests/core/test_rotations.py and tests/core/folder/test_rotations_by_folder.py",
)
def test_the_only_issuer_replaces_its_own_key_and_goes_on_deciding() -> None:
    with Fleet.found("alice", "berta") as fleet:
        alice, berta = fleet.start_all()
        fleet.until_linked()
        rotated = alice.json("rotate", "--yes", tool=ADMIN)
        assert rotated["ordered"] is True
        fleet.until_linked()
        assert _key(berta, "alice") == rotated["key"]
        assert berta.json("claim", "decided by alice", "--timeout", "30")["token"]
        # Somebody who has never heard of the old key reads all that it signed.
        clara = fleet.add("clara")
        clara.json("join", alice.json("invite", "clara", tool=ADMIN)["code"], "--machine", "clara")
        clara.start("--peer", berta.listen, "--peer", alice.listen)
        size = berta.json("status")["commit"]["size"]
        until(lambda: clara.json("status")["commit"]["size"] >= size, 30, what="clara applied it", shown=fleet.report)
        assert clara.json("claim", "decided after", "--timeout", "30")["token"]
