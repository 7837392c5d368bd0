"""The demonstration: a fleet on this computer, from founding to the return of a killed machine.

1. found        2. join        3. everybody online, with evidence     4. a message, a reply, their receipts
5. a claim      6. a conflict  7. a kill    8. the return    9. strangers    10. the figures

Nothing is staged: each step runs real commands and real nodes (``demo_processes``) and fails the whole demonstration
when what it promises is not seen. Times are measured where they are seen, at this process.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

from roosync_p2p.api.terminal import EXIT_OK, Invocation
from roosync_p2p.cli.demo_deciding import claim_race, conflict
from roosync_p2p.cli.demo_impostor import refusal_of_stranger
from roosync_p2p.cli.demo_processes import DemoFleet, DemoNode, EventWatch
from roosync_p2p.cli.demo_show import DemoShow
from roosync_p2p.core.settings import parse_host_port
from roosync_p2p.errors import EnvironmentFault, RoosyncError

__all__ = ["run_demo"]

START_TIMEOUT_S: Final = 20.0  # several interpreters start at once, on a computer that may be busy
STEP_TIMEOUT_S: Final = 15.0  # what takes a second on a quiet computer
_POLL_S: Final = 0.05
_MACHINES: Final = [f"machine-{letter}" for letter in "abcdefghi"]
_ANY_PORT: Final = "127.0.0.1:0"
_WAITING: Final = "À ton retour"  # the subject of the message that waits


def run_demo(invocation: Invocation, *, machines: int, keep: bool) -> int:
    """Shows a fleet at work; the exit code.

    Args:
        machines: 2 to 9.
        keep: whether the directory stays, with every home in it ready to be started again.

    Raises:
        EnvironmentFault: ``demo_failed``: a step did not show what it should; the directory with the logs is kept.
    """
    folder = Path(tempfile.mkdtemp(prefix="roosync-demo-"))
    show = DemoShow(invocation, folder, machines)
    kept = keep
    try:
        with _interrupted_by_termination(), DemoFleet(folder, _MACHINES[:machines]) as fleet:
            _Story(fleet, show).tell()
        show.summary(kept=keep)
    except (RoosyncError, OSError) as error:
        kept = True
        raise show.failure(error) from error
    finally:
        if not kept:
            shutil.rmtree(folder, ignore_errors=True)  # Windows may hold a log a moment longer
    return EXIT_OK


# --- the steps ----------------------------------------------------------------------------------------------------


class _Story:
    """The steps, in order, on one fleet."""

    def __init__(self, fleet: DemoFleet, show: DemoShow) -> None:
        self._fleet = fleet
        self._show = show
        self._founder = fleet.nodes[0]
        self._last = fleet.nodes[-1]
        self._used_code = ""

    def tell(self) -> None:
        """All of it."""
        self._found()
        self._join()
        self._wait_online()
        with contextlib.ExitStack() as stack:
            watches = {node.machine: stack.enter_context(EventWatch(node)) for node in self._fleet.nodes}
            self._exchange(watches)
            claim_race(self._fleet.nodes, self._show)
            conflict(self._fleet.nodes, self._show, self._until)
            self._kill(watches)
        self._return()
        self._refuse()

    def _found(self) -> None:
        founder, show = self._founder, self._show
        show.begin_step("found", machine=founder.machine)
        _found_another(founder, "roosync demo")
        self._write_settings(founder, _ANY_PORT)
        self._start([founder])
        show.figures["founded_s"] = show.step_age_s()

    def _join(self) -> None:
        show = self._show
        show.begin_step("join")
        slowest_s = 0.0
        for node in self._fleet.nodes[1:]:
            began_s = time.monotonic()
            self._used_code = str(self._founder.run_well("roosync-admin", "invite", node.machine)["code"])
            node.run_well("roosync", "join", self._used_code)
            self._write_settings(node, _ANY_PORT)
            took_s = time.monotonic() - began_s
            slowest_s = max(slowest_s, took_s)
            show.say("joined", machine=node.machine, seconds=took_s)
        show.figures["joined_s"] = slowest_s

    def _wait_online(self) -> None:
        nodes, show = self._fleet.nodes, self._show
        show.begin_step("online")
        self._start(nodes[1:])
        self._until("every machine online with direct evidence", lambda: all(_sees_all(node, nodes) for node in nodes))
        show.figures["online_s"] = show.step_age_s()
        for row in self._founder.client.machines()["machines"]:
            if not row["self"]:
                show.seen(row)

    def _exchange(self, watches: Mapping[str, EventWatch]) -> None:
        show, recipient = self._show, self._last
        sender = self._fleet.nodes[-2]
        show.begin_step("message", sender=sender.machine, recipient=recipient.machine)
        sent_s = time.monotonic()
        sent = sender.client.send(recipient.machine, "Réunion", "Les tests sont-ils verts ?", type="question")
        arrived = watches[recipient.machine].wait(
            lambda event: event.type == "message" and event.data["id"] == sent["id"],
            what=f"the message of {sender.machine}",
            timeout_s=STEP_TIMEOUT_S,
        )
        read_s = time.monotonic()
        message = recipient.client.read(sent["id"])
        if not (message["verified"] and message["signer"] == sender.machine):
            raise EnvironmentFault(f"the message is shown as signed by {message['signer']}", code="demo_signer")
        known = watches[sender.machine].wait(
            lambda event: event.type == "receipt" and event.data["reader"] == recipient.machine,
            what=f"the receipt of {recipient.machine}",
            timeout_s=STEP_TIMEOUT_S,
        )
        self._reply(sender, recipient, sent["id"], watches)
        show.figures["delivered_ms"] = (arrived.at_s - sent_s) * 1000
        show.figures["receipt_ms"] = (known.at_s - read_s) * 1000
        show.say("read", signer=message["signer"], sender=sender.machine, recipient=recipient.machine)

    def _reply(self, asker: DemoNode, replier: DemoNode, question: str, watches: Mapping[str, EventWatch]) -> None:
        reply = replier.client.reply(question, "Oui, depuis ce matin.")
        watches[asker.machine].wait(
            lambda event: event.type == "message" and event.data["id"] == reply["id"],
            what=f"the reply of {replier.machine}",
            timeout_s=STEP_TIMEOUT_S,
        )
        asker.client.read(reply["id"])
        self._until(
            f"the reply of {replier.machine} read",
            lambda: replier.client.message(reply["id"])["states"] == {asker.machine: "read"},
        )

    def _kill(self, watches: Mapping[str, EventWatch]) -> None:
        show, victim = self._show, self._last
        show.begin_step("kill", machine=victim.machine)
        killed_s = victim.kill()
        noticed: dict[str, float] = {}
        for node in self._fleet.nodes[:-1]:
            sighting = watches[node.machine].wait(
                lambda event: (
                    event.type == "verdict"
                    and event.data["machine"] == victim.machine
                    and event.data["state"] == "offline"
                ),
                what=f"the end of {victim.machine}",
                timeout_s=STEP_TIMEOUT_S,
            )
            noticed[node.machine] = (sighting.at_s - killed_s) * 1000
            show.say("noticed", machine=node.machine, milliseconds=noticed[node.machine])
        show.figures["noticed_ms"] = max(noticed.values())
        show.noticed_ms.update(noticed)

    def _return(self) -> None:
        show, victim, sender = self._show, self._last, self._founder
        show.begin_step("return", machine=victim.machine)
        # Asked for twice with one key, as a script does that is not sure whether its first call went through.
        sent = sender.client.send(victim.machine, _WAITING, idempotency_key="demo")
        sender.client.send(victim.machine, _WAITING, idempotency_key="demo")
        show.say("waits", sender=sender.machine, state=sent["states"][victim.machine])
        began_s = time.monotonic()
        self._start([victim])
        self._until("the message that waited", lambda: bool(_copies(victim, _WAITING)))
        show.figures["returned_s"] = time.monotonic() - began_s
        self._until(f"{victim.machine} online again", lambda: _sees_all(sender, self._fleet.nodes))
        copies = _copies(victim, _WAITING)
        if [line["id"] for line in copies] != [sent["id"]]:
            raise EnvironmentFault(f"the message arrived {len(copies)} times", code="demo_copies")
        show.figures["copies"] = len(copies)
        show.say("once", signer=copies[0]["signer"], copies=len(copies))

    def _refuse(self) -> None:
        show, founder = self._show, self._founder
        show.begin_step("impostor")
        stranger = self._fleet.make_node(self._last.machine, "stranger")
        _found_another(stranger, "another fleet")
        reason = refusal_of_stranger(stranger.home / "identity", *parse_host_port(founder.address))
        if reason is None:
            raise EnvironmentFault(f"{founder.machine} let a machine of another fleet in", code="demo_let_in")
        show.refused("stranger", reason, machine=self._last.machine)
        done = self._fleet.make_node("machine-x", "thief").run(
            "roosync", "join", self._used_code, "--machine", self._last.machine, "--json"
        )
        code = _error_code(done.stderr)
        if done.returncode == 0 or code != "invite_used":
            raise EnvironmentFault(f"a used join code: exit {done.returncode}, {code}", code="demo_let_in")
        show.refused("reused", code)

    # --- inside ---------------------------------------------------------------------------------------------------

    def _start(self, nodes: Sequence[DemoNode]) -> None:
        """All at once. The port that a node got is written down, so that it is found there when it returns."""
        for node in nodes:
            node.start()
        for node in nodes:
            node.wait_ready(START_TIMEOUT_S)
            self._write_settings(node, node.address)

    def _write_settings(self, node: DemoNode, listen: str) -> None:
        lines = ["[node]", f"machine = {json.dumps(node.machine)}", f"listen = {json.dumps(listen)}"]
        lines.append("reminders = false")  # nobody keeps this fleet
        lines += ["[discovery]", "mdns = false", "[ui]", f"language = {json.dumps(self._show.language)}"]
        (node.home / "settings.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")

    def _until(self, what: str, there: Callable[[], bool]) -> None:
        deadline = time.monotonic() + STEP_TIMEOUT_S
        while not there():
            if time.monotonic() > deadline:
                raise EnvironmentFault(f"not seen within {STEP_TIMEOUT_S:g} s: {what}", code="not_in_time")
            time.sleep(_POLL_S)


def _found_another(node: DemoNode, fleet_name: str) -> None:
    node.run_well(
        "roosync-admin",
        *("init", "--fleet", fleet_name, "--machine", node.machine),
        *("--listen", _ANY_PORT, "--no-passphrase"),
    )


def _sees_all(node: DemoNode, others: Sequence[DemoNode]) -> bool:
    """Whether this node says that all of them are online, and has that from themselves."""
    rows = node.client.machines()["machines"]
    online = {row["machine"] for row in rows if row["state"] == "online" and _is_first_hand(row)}
    return online >= {other.machine for other in others}


def _is_first_hand(row: Mapping[str, Any]) -> bool:
    return bool(row["self"]) or row["evidence"]["path"] == "direct"


def _copies(node: DemoNode, subject: str) -> list[Mapping[str, Any]]:
    """By subject, because a second copy would have an id of its own."""
    return [line for line in node.client.inbox(status="all")["messages"] if line["subject"] == subject]


def _error_code(stderr: str) -> str:
    try:
        return str(json.loads(stderr)["error"]["code"])
    except (ValueError, KeyError, TypeError):
        return "no_reason"


@contextlib.contextmanager
def _interrupted_by_termination() -> Iterator[None]:
    """SIGTERM ends the demonstration as Ctrl-C does, so that no process is left behind."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set handlers, and only it gets the signal
        return

    def interrupt(_number: int, _frame: object) -> NoReturn:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
