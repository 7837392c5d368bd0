"""What people and agents do with messages between real nodes: answer, put aside, find, amend, follow a thread."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.helpers.by_hand import by_hand
from tests.helpers.fleet import ADMIN, Fleet, Machine, until

WITHIN_S = 50.0


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    with Fleet.found("alice", "berta", "carla") as fleet:
        fleet.start_all()
        fleet.until_linked()
        yield fleet


def _until_arrived(fleet: Fleet, machine: Machine, message: str) -> None:
    until(
        lambda: any(row["id"] == message for row in machine.inbox()),
        WITHIN_S,
        what=f"{message} arrives at {machine.name}",
        shown=fleet.report,
    )


def _until_states(fleet: Fleet, machine: Machine, message: str, states: dict[str, str]) -> dict[str, Any]:
    until(
        lambda: machine.client.message(message)["states"] == states,
        WITHIN_S,
        what=f"{machine.name} sees {states}",
        shown=lambda: f"{machine.client.message(message)}\n{fleet.report()}",
    )
    found: dict[str, Any] = machine.client.message(message)
    return found


def test_the_sender_sees_who_acted_and_who_declined_with_their_notes(fleet: Fleet) -> None:
    alice, berta, carla = fleet.machines.values()
    sent = alice.json("send", "all:web,berta", "Déployer 1.4", "sur chaque machine", "--type", "task")
    assert sent["states"] == {"berta": "sent", "berta:web": "sent", "carla:web": "sent"}
    for machine in (berta, carla):
        _until_arrived(fleet, machine, sent["id"])
    acted = berta.json("ack", sent["id"], "--note", "fait en 9d0c11", "--workspace", "web")
    assert (acted["status"], acted["states"]["berta:web"]) == ("read", "acted")
    carla.json("ack", sent["id"], "--decline", "--note", "pas avant lundi", "--workspace", "web")
    wanted = {"berta": "acted", "berta:web": "acted", "carla:web": "declined"}
    shown = _until_states(fleet, alice, sent["id"], wanted)
    notes = {(row["machine"], row["workspace"], row["state"]): row["note"] for row in shown["receipts"]}
    assert notes["berta", "web", "acted"] == "fait en 9d0c11"
    assert notes["carla", "web", "declined"] == "pas avant lundi"
    assert "carla:web declined: pas avant lundi" in alice.run("read", sent["id"]).stdout
    refused = carla.refusal("ack", sent["id"], "--workspace", "web")
    assert (refused["code"], refused["details"]["state"]) == ("already_answered", "declined")
    assert carla.json("ack", sent["id"], "--decline", "--workspace", "web")["states"]["carla:web"] == "declined"


def test_an_inbox_is_filtered_and_its_messages_are_put_aside(fleet: Fleet) -> None:
    alice, berta, _carla = fleet.machines.values()
    options = {
        "Bas": ["--priority", "LOW"],
        "Haut": ["--priority", "HIGH", "--tag", "équipe"],
        "Tâche": ["--type", "x.y"],
    }
    sent = {subject: alice.json("send", "berta", subject, *more)["id"] for subject, more in options.items()}
    for message in sent.values():
        _until_arrived(fleet, berta, message)

    def found(*options: str) -> list[str]:
        return [row["subject"] for row in berta.json("inbox", *options)["messages"] if row["id"] in sent.values()]

    assert found() == ["Haut", "Tâche", "Bas"]
    assert found("--priority", "low") == ["Bas"]
    assert found("--tag", "équipe") == ["Haut"]
    assert found("--type", "x.y", "--from", "alice", "--since", "1h") == ["Tâche"]
    assert found("--until", "2026-01-15") == []
    assert berta.json("archive", sent["Bas"], sent["Haut"]) == {"archived": [sent["Bas"], sent["Haut"]]}
    assert found() == ["Tâche"]
    assert found("--status", "archived") == ["Haut", "Bas"]
    assert berta.refusal("archive", sent["Tâche"], "msg-20260115T091530-ffffff")["code"] == "no_such_message"
    assert found() == ["Tâche"]
    assert berta.json("keep", sent["Haut"]) == {"id": sent["Haut"], "kept": True}
    assert berta.client.message(sent["Haut"])["kept"]


def test_a_thread_is_a_tree_with_who_read_what_and_the_commits_that_it_cites(fleet: Fleet) -> None:
    alice, berta, carla = fleet.machines.values()
    alice.json("claim", "issue-482")
    number = alice.client.claims()["as_of"]
    name = "thread-20260115-config-sync"
    first = alice.json("send", "berta,carla", "Config", f"voir #{number} et #99999", "--thread", name)
    for machine in (berta, carla):
        _until_arrived(fleet, machine, first["id"])
    answer = berta.json("reply", first["id"], "oui")
    _until_arrived(fleet, alice, answer["id"])
    deeper = alice.json("reply", answer["id"], "parfait")
    berta.json("read", first["id"])
    _until_arrived(fleet, berta, deeper["id"])
    _until_states(fleet, alice, first["id"], {"berta": "read", "carla": "delivered"})
    until(lambda: alice.client.thread(name)["count"] == 3, WITHIN_S, what="the whole thread")
    thread = alice.json("thread", deeper["id"])
    assert [(row["id"], row["depth"]) for row in thread["messages"]] == [
        (first["id"], 0),
        (answer["id"], 1),
        (deeper["id"], 2),
    ]
    assert thread["thread_id"] == name
    assert thread["participants"] == ["alice", "berta"]
    assert thread["unread"] == 1
    assert thread["messages"][0]["read_by"] == ["berta"]
    assert [row["subject"] for row in thread["messages"]] == ["Config", "Re: Config", "Re: Config"]
    assert [row["in_reply_to"] for row in thread["messages"]] == [None, first["id"], answer["id"]]
    assert [(row["number"], row["outcome"]["accepted"]) for row in thread["commits"]] == [(number, True)]
    shown = alice.run("thread", name).stdout
    assert f"    {deeper['id']}" in shown
    assert "read by berta" in shown
    assert alice.refusal("thread", "nothing-here")["code"] == "no_such_thread"


def test_an_amended_message_shows_its_history_and_only_its_author_amends_it(fleet: Fleet) -> None:
    alice, berta, _carla = fleet.machines.values()
    sent = alice.json("send", "berta", "Version", "Déployer 1.4")
    _until_arrived(fleet, berta, sent["id"])
    berta.json("read", sent["id"])
    _until_states(fleet, alice, sent["id"], {"berta": "read"})
    assert berta.refusal("amend", sent["id"], "Déployer 6.6.6")["code"] == "not_the_author"
    amended = alice.json("amend", sent["id"], "Déployer 1.4.1", "--reason", "1.4 est cassé")
    assert (amended["body"], amended["amended"]) == ("Déployer 1.4.1", True)
    until(
        lambda: berta.client.message(sent["id"])["body"] == "Déployer 1.4.1", WITHIN_S, what="the newest body is there"
    )
    history = berta.client.message(sent["id"])["history"]
    assert [(row["body"], row["reason"]) for row in history] == [
        ("Déployer 1.4", ""),
        ("Déployer 1.4.1", "1.4 est cassé"),
    ]
    assert history[0]["read_by"] == ["berta"]
    shown = berta.run("read", sent["id"]).stdout
    assert shown.index("Déployer 1.4.1") < shown.rindex("Déployer 1.4\n")


def test_what_was_sent_in_a_session_is_amended_only_there(fleet: Fleet) -> None:
    alice = fleet.machines["alice"]
    secret = alice.run("session", "open").stdout.strip()
    mine = {"ROOSYNC_SESSION": secret}
    sent = alice.json("send", "berta", "Session", "un", environ=mine)
    assert alice.refusal("amend", sent["id"], "deux")["code"] == "another_session"
    assert alice.json("amend", sent["id"], "deux", environ=mine)["body"] == "deux"


def test_words_are_found_without_their_accents_also_in_what_was_amended(fleet: Fleet) -> None:
    alice, berta, carla = fleet.machines.values()
    sent = alice.json("send", "berta", "Réunion d'équipe", "à l'écurie", "--tag", "œuvre")
    _until_arrived(fleet, berta, sent["id"])

    def found(machine: Machine, *words: str) -> list[str]:
        return [row["id"] for row in machine.json("search", *words)["messages"]]

    for words in (["reunion", "EQUIPE"], ["ecur*"], ["œuvre"], ["l'écurie"]):
        assert found(berta, *words) == [sent["id"]], words
    assert found(carla, "reunion") == []
    alice.json("amend", sent["id"], "au jardin")
    until(lambda: found(berta, "jardin") == [sent["id"]], WITHIN_S, what="the new words are found")
    assert found(berta, "ecurie") == []
    refused = berta.refusal("search", "!!!", code=2)
    assert refused["code"] == "bad_search"


@by_hand
def test_the_sender_hears_unasked_of_what_did_not_arrive_and_of_who_did_not_answer(fleet: Fleet) -> None:
    alice, berta, carla = fleet.machines.values()
    carla.stop()
    alice.until_state("carla", "leaving", "offline")
    late = alice.json("send", "carla", "Vite", "--expires", "2s")
    task = alice.json("send", "berta", "Tâche", "--type", "task", "--ack-within", "2s", "--escalate", "berta:web")

    def notices(machine: Machine, about: str) -> list[dict[str, Any]]:
        return [row for row in machine.inbox() if row["in_reply_to"] == about and "delivery" in row["tags"]]

    until(lambda: bool(notices(alice, late["id"])), WITHIN_S, what="expired is told", shown=fleet.report)
    until(lambda: bool(notices(alice, task["id"])), WITHIN_S, what="overdue is told", shown=fleet.report)
    for sent, verdict in ((late, "expired"), (task, "overdue")):
        (row,) = notices(alice, sent["id"])
        assert (row["tags"], row["signer"], row["thread_id"]) == (["delivery", verdict], "alice", sent["thread_id"])
    until(lambda: bool(notices(berta, task["id"])), WITHIN_S, what="the escalation arrives")
    assert [row["workspace"] for row in notices(berta, task["id"])] == ["web"]
    assert alice.client.message(late["id"])["states"] == {"carla": "expired"}
    carla.start()
    fleet.until_linked()
    _until_states(fleet, alice, late["id"], {"carla": "expired"})
    _until_arrived(fleet, carla, late["id"])
    row = next(row for row in carla.inbox() if row["id"] == late["id"])
    assert row["status"] == "archived"
    assert len(notices(alice, late["id"])) == 1


@pytest.mark.parametrize(("verb", "name"), [("retire", "carla"), pytest.param("revoke", "berta", marks=by_hand)])
def test_what_a_machine_never_read_bounces_when_it_is_put_out(fleet: Fleet, verb: str, name: str) -> None:
    alice, machine = fleet.machines["alice"], fleet.machines[name]
    machine.stop()
    alice.until_state(name, "leaving", "offline")
    sent = alice.json("send", name, "Adieu", "corps")
    broadcast = alice.json("send", "all", "À tous", "corps")
    assert name in broadcast["states"]
    why = alice.json("why", sent["id"])["message"]["recipients"][0]
    assert (why["state"], why["waits_for"], why["ways"]["linked"]) == ("sent", "return", False)
    # The last of two voters to go takes the majority along; that it is out is heard all the same.
    alice.json(verb, name, "--yes", "--reason", "perdue", tool=ADMIN, code=0 if verb == "retire" else None)
    _until_states(fleet, alice, sent["id"], {name: "bounced"})

    def told(message: dict[str, Any]) -> list[list[str]]:
        return [row["tags"] for row in alice.inbox() if row["in_reply_to"] == message["id"]]

    until(
        lambda: told(sent) == told(broadcast) == [["delivery", "bounced"]],
        WITHIN_S,
        what="both bounces are told once",
        shown=fleet.report,
    )
    states = alice.client.message(broadcast["id"])["states"]
    assert set(states) == set(broadcast["states"]), "it stays for whom it was sent to"
    assert states[name] == "bounced"
    assert name not in alice.json("send", "all", "Après", "corps")["states"]
    assert alice.refusal("send", name, "encore")["code"] == "unknown_recipient"
    member = alice.client.why(name)["machine"]["membership"]
    assert (member["state"], member["reason"]) == (f"{verb}d", "perdue")
