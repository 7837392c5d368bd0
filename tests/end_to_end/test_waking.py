"""An idle agent is woken for messages, and the sender hears when nobody comes: real nodes, a program as the agent."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.fleet import Fleet, Machine, until

WITHIN_S = 50.0
AGENT = """
import json, os, sys
from pathlib import Path
from roosync_p2p.api.sync_client import SyncClient

woken, works = Path(sys.argv[1]), sys.argv[2] == "works"
ids = os.environ["ROOSYNC_MESSAGE_IDS"].split()
told = {name: os.environ[f"ROOSYNC_{name}"] for name in ("WORKSPACE", "SENDERS", "WAKE", "WAKE_ATTEMPT")}
with woken.open("a") as file:
    file.write(json.dumps({"ids": ids, **told}) + "\\n")
client = SyncClient(Path(os.environ["ROOSYNC_HOME"]))
for message in ids:
    client.take(message, lease_s=1, workspace=told["WORKSPACE"])
    if works:
        body = client.read(message, workspace=told["WORKSPACE"])["body"]
        client.reply(message, "fait : " + body)
        client.ack(message, workspace=told["WORKSPACE"], note="fait")
sys.exit(0 if works else 3)
"""


def _wakes(machine: Machine, workspace: str) -> list[dict[str, Any]]:
    """What the agent of a workspace was told, each time that it was woken."""
    file = machine.home.parent / f"woken-{workspace}"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def _settings(folder: Path) -> str:
    """Two agents: one that works, one that dies at once."""
    lines: list[str] = []
    for workspace, kind in (("web", "works"), ("api", "dies")):
        run = [sys.executable, str(folder / "agent.py"), str(folder / f"woken-{workspace}"), kind]
        lines += [f"[wake.{workspace}]", f"run = {json.dumps(run)}", f"workspaces = [{json.dumps(workspace)}]"]
        lines += ["gather_s = 0.5", "lease_s = 0.8", "every_s = 0"]
    lines += ["[wake.hook]", f"signal_file = {json.dumps(str(folder / 'signal'))}", 'priorities = ["URGENT"]']
    return "\n".join([*lines, "gather_s = 0"])


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    with Fleet.found("alice", "berta") as fleet:
        (fleet.path / "agent.py").write_text(AGENT)
        fleet.machines["berta"].settle_for(_settings(fleet.path))
        fleet.start_all()
        fleet.until_linked()
        yield fleet


def test_an_idle_agent_is_woken_once_for_three_messages_and_the_sender_sees_that_it_acted(fleet: Fleet) -> None:
    alice, berta = fleet.machines.values()
    sent = [alice.client.send("berta:web", f"Tâche {number}", str(number), type="task")["id"] for number in range(3)]

    def states() -> list[dict[str, str]]:
        return [alice.client.message(message)["states"] for message in sent]

    until(
        lambda: states() == [{"berta:web": "acted"}] * 3,
        WITHIN_S,
        what="the agent acted on all three",
        shown=lambda: f"{states()}\n{_wakes(berta, 'web')}\n{fleet.report()}",
    )
    (told,) = _wakes(berta, "web")
    assert sorted(told["ids"]) == sorted(sent)
    assert (told["WORKSPACE"], told["SENDERS"], told["WAKE_ATTEMPT"]) == ("web", "alice", "1")
    answers = {row["in_reply_to"]: row["subject"] for row in alice.inbox()}
    assert answers == {message: f"Re: Tâche {number}" for number, message in enumerate(sent)}
    assert _wakes(berta, "api") == []
    assert "wake_failed" not in berta.warnings()


def test_an_agent_that_dies_after_waking_is_woken_again_and_then_the_sender_hears(fleet: Fleet) -> None:
    alice, berta = fleet.machines.values()
    sent = alice.json("send", "berta:api", "Personne ?", "corps", "--workspace", "docs")

    def told() -> list[dict[str, Any]]:
        return [row for row in alice.inbox() if row["in_reply_to"] == sent["id"]]

    until(lambda: len(_wakes(berta, "api")) == 1, WITHIN_S, what="it is woken", shown=fleet.report)
    berta.kill()  # what was counted outlives the node
    berta.start("--peer", alice.listen)
    until(lambda: bool(told()), WITHIN_S, what="the sender hears", shown=fleet.report)
    assert [wake["WAKE_ATTEMPT"] for wake in _wakes(berta, "api")] == ["1", "2", "3"]
    assert "wake_failed" in berta.warnings()
    assert "ended with 3" in berta.warnings()["wake_failed"]
    (notice,) = told()
    assert (notice["from"], notice["to"], notice["tags"]) == ("berta:api", ["alice:docs"], ["delivery", "unattended"])
    assert (notice["signer"], notice["thread_id"]) == ("berta", sent["thread_id"])
    (waiting,) = [row for row in berta.inbox() if row["id"] == sent["id"]]
    assert waiting["status"] == "unread"  # a message that was taken is not lost with its taker
    assert len(_wakes(berta, "api")) == 3


def test_a_signal_file_holds_the_ids_of_what_passes_the_filter_and_nothing_else(fleet: Fleet) -> None:
    alice, berta = fleet.machines.values()
    quiet = alice.json("send", "berta", "Plus tard", "corps")
    urgent = alice.json("send", "berta", "Vite", "corps", "--priority", "URGENT")
    signal = fleet.path / "signal"
    until(signal.exists, WITHIN_S, what="the file is there", shown=fleet.report)
    until(lambda: len(berta.inbox("unread")) >= 2, WITHIN_S, what="both arrived")
    assert signal.read_text().split() == [urgent["id"]]
    assert quiet["id"] not in signal.read_text()


def test_one_session_keeps_no_message_from_another_longer_than_it_lives(fleet: Fleet) -> None:
    alice, berta = fleet.machines.values()
    sent = alice.json("send", "berta", "Pour un seul", "corps")
    until(lambda: any(row["id"] == sent["id"] for row in berta.inbox()), WITHIN_S, what="it arrives")
    one, other = [{"ROOSYNC_SESSION": berta.run("session", "open").stdout.strip()} for _ in range(2)]
    taken = berta.json("take", sent["id"], environ=one)
    assert taken["workspaces"] == [None]
    for command in (("take",), ("ack",), ("archive",)):
        refused = berta.refusal(*command, sent["id"], environ=other)
        assert (refused["code"], refused["details"]["session"]) == ("taken", taken["session"])
        assert berta.refusal(*command, sent["id"])["code"] == "taken"
    assert berta.json("read", sent["id"], environ=other)["status"] == "unread"
    berta.json("session", "close", environ=one)
    assert berta.json("take", sent["id"], environ=other)["id"] == sent["id"]
    assert berta.json("read", sent["id"], environ=other)["status"] == "read"
    assert berta.refusal("take", sent["id"], environ=other)["code"] == "already_read"
