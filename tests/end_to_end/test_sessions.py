"""The agents of every machine are seen on every machine, until they close, die or go with their machine."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from roosync_p2p.errors import InputFault
from tests.helpers.fleet import Fleet, Machine, until

WITHIN_S = 50.0


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    with Fleet.found("alice", "berta", "carla") as fleet:
        fleet.start_all()
        fleet.until_linked()
        yield fleet


def _agents(seen_by: Machine, machine: str) -> list[dict[str, Any]]:
    """The sessions of a machine as another one shows them."""
    rows = seen_by.json("machines")["machines"]
    return [session for row in rows if row["machine"] == machine for session in row["sessions"]]


def _until_agents(fleet: Fleet, machine: str, *sessions: str, seen_by: list[Machine] | None = None) -> float:
    def seen(watcher: Machine) -> set[str]:
        return {session["session"] for session in watcher.row(machine)["sessions"]}

    watchers = seen_by or fleet.running()
    return until(
        lambda: all(seen(watcher) == set(sessions) for watcher in watchers),
        WITHIN_S,
        what=f"everybody sees {len(sessions)} agents on {machine}",
        shown=fleet.report,
    )


def test_an_agent_is_seen_everywhere_at_once_by_its_names_alone_and_vanishes_when_it_closes(
    fleet: Fleet, record_property: Any
) -> None:
    alice, berta, carla = fleet.machines.values()
    opened = alice.json("session", "open", "--client", "claude", "--workspace", "écurie")
    took_s = _until_agents(fleet, "alice", opened["session"])
    record_property("an agent is seen everywhere", round(took_s, 3))
    (seen,) = _agents(carla, "alice")
    assert set(seen) == {"session", "workspace", "client", "last_active", "expires_at"}
    assert (seen["workspace"], seen["client"]) == ("écurie", "claude")
    assert opened["secret"] not in str(berta.json("status"))
    table = berta.run("machines").stdout
    assert re.search(r"alice .*1: claude \(écurie\)", table), table
    closed = alice.json("session", "close", environ={"ROOSYNC_SESSION": opened["secret"]})
    assert closed["session"] == opened["session"]
    _until_agents(fleet, "alice")


def test_the_session_of_an_agent_that_was_killed_ends_everywhere_at_its_lease_and_frees_its_claims(
    fleet: Fleet,
) -> None:
    alice, _berta, carla = fleet.machines.values()
    opened = alice.json("session", "open", "--client", "roo", "--lease", "2s")
    alice.json("claim", "issue-7", "--ttl", "1d", environ={"ROOSYNC_SESSION": opened["secret"]})
    _until_agents(fleet, "alice", opened["session"])
    _until_agents(fleet, "alice")
    until(lambda: carla.json("claims")["claims"] == [], WITHIN_S, what="its claim is free", shown=fleet.report)
    refused = alice.refusal("claim", "issue-7", environ={"ROOSYNC_SESSION": opened["secret"]})
    assert refused["code"] == "unknown_session"
    assert all("session_zombie" not in machine.warnings() for machine in fleet.running())


def test_agents_outlive_a_restart_of_their_node_and_go_with_a_machine_that_dies(fleet: Fleet) -> None:
    alice, berta, carla = fleet.machines.values()
    opened = carla.json("session", "open", "--client", "claude", "--workspace", "web")
    _until_agents(fleet, "carla", opened["session"])
    carla.stop()
    _until_agents(fleet, "carla", seen_by=[alice, berta])
    assert "session_zombie" not in alice.warnings()  # it said goodbye
    carla.start("--peer", alice.listen, "--peer", berta.listen)
    fleet.until_linked()
    _until_agents(fleet, "carla", opened["session"])
    with berta.record() as events:
        carla.kill()
        berta.until_state("carla", "offline")
        assert _agents(berta, "carla") == []
        assert "claude in web" in berta.warnings()["session_zombie"]
        assert events.wait("session", within_s=WITHIN_S, state="lost").event.data["session"] == opened["session"]
    checks = {check["id"]: check for check in berta.json("doctor", code=None)["checks"]}
    assert checks["session_zombie"]["severity"] == "warning"


def test_a_message_for_a_workspace_lies_in_that_inbox_alone_and_has_one_state_for_each(fleet: Fleet) -> None:
    alice, berta, _carla = fleet.machines.values()
    sent = alice.json("send", "berta:web,berta:api,all:docs", "Par projet", "corps", "--workspace", "web")

    def inbox(workspace: str) -> list[dict[str, Any]]:
        page = berta.json("inbox", environ={"ROOSYNC_WORKSPACE_ID": workspace})
        return [row for row in page["messages"] if row["id"] == sent["id"]]

    until(lambda: bool(inbox("web")), WITHIN_S, what="it arrives", shown=fleet.report)
    for workspace in ("web", "api", "docs"):
        (row,) = inbox(workspace)
        assert (row["workspace"], row["from"], row["status"]) == (workspace, "alice:web", "unread")
    assert inbox("other") == []
    shown = berta.run("inbox", "--workspace", "docs").stdout
    assert re.search(r"berta:web, berta:api, … +Par projet", shown), shown
    berta.json("ack", sent["id"], "--workspace", "api")
    berta.json("read", sent["id"], "--workspace", "docs")
    wanted = {"berta:api": "acted", "berta:docs": "read", "berta:web": "delivered", "carla:docs": "sent"}
    until(
        lambda: alice.client.message(sent["id"])["states"] == wanted,
        WITHIN_S,
        what="one state for each workspace",
        shown=lambda: alice.client.message(sent["id"])["states"],
    )
    assert [row["status"] for row in inbox("web")] == ["unread"]


def test_a_session_that_sends_in_a_loop_is_held_back_by_the_limit_that_everybody_has(fleet: Fleet) -> None:
    alice = fleet.machines["alice"]
    secret = alice.client.open_session(client="loop")["secret"]
    for number in range(60):
        alice.client.send("alice", f"n° {number}", "corps", secret=secret)
    refused = alice.refusal("send", "alice", "de trop", environ={"ROOSYNC_SESSION": secret})
    assert refused["code"] == "sending_too_fast"
    assert 0 < refused["details"]["retry_after_s"] <= 60
    assert alice.json("send", "alice", "d'un autre", "corps")["id"]


def test_whoever_reaches_the_api_without_a_sessions_secret_does_nothing_in_its_name(fleet: Fleet) -> None:
    alice = fleet.machines["alice"]
    api = alice.client
    opened = api.open_session(client="victime", workspace="web")
    mine, known = {"secret": opened["secret"]}, opened["session"]
    claimed = api.claim("issue-9", workspace="web", speaker=mine)
    written = api.send("alice:web", "À moi", "le vrai", secret=opened["secret"])["id"]
    api.take(written, workspace="web", speaker=mine)
    acquired = next(row for row in api.log(first=claimed["token"])["entries"] if row["number"] == claimed["token"])
    process = {"user": known, "process": 0, "workspace": ""}
    guesses: list[tuple[Callable[[], object], str]] = [
        (lambda: api.close_session(known), "unknown_session"),
        (lambda: api.renew_session(known), "unknown_session"),
        (lambda: api.amend(written, "un faux", secret=known), "unknown_session"),
        (lambda: api.send("alice", "Faux", "un faux", secret=known), "unknown_session"),
        (lambda: api.release_claim("issue-9", speaker={"secret": known}), "unknown_session"),
        (lambda: api.release_claim("issue-9", speaker=process), "not_holder"),
        (lambda: api.release_claim("issue-9", claimed["token"]), "not_holder"),
        (lambda: api.renew_claim("issue-9", claimed["token"]), "not_holder"),
        (lambda: api.cancel_request(acquired["id"]), "another_session"),
        (lambda: api.cancel_request(acquired["id"], secret=known), "unknown_session"),
        (lambda: api.amend(written, "un faux"), "another_session"),
        (lambda: api.take(written, workspace="web"), "taken"),
        (lambda: api.ack(written, workspace="web"), "taken"),
        (lambda: api.archive([written], workspace="web"), "taken"),
    ]
    for number, (guess, code) in enumerate(guesses):
        with pytest.raises(InputFault) as refused:
            guess()
        assert refused.value.code == code, number
    other = {"secret": api.open_session(client="autre", workspace="api")["secret"]}
    with pytest.raises(InputFault) as elsewhere:
        api.take(written, workspace="web", speaker=other)
    assert elsewhere.value.code == "another_workspace"
    assert api.read(written, workspace="web")["status"] == "unread"
    assert api.message(written)["body"] == "le vrai"
    assert [claim["holder"]["session"] for claim in api.claims()["claims"]] == [known]
    assert known in {session["session"] for session in alice.row("alice")["sessions"]}
    assert api.cancel_request(acquired["id"], secret=opened["secret"])["commit_number"] > claimed["token"]
    assert api.claims()["claims"] == []
    assert api.read(written, workspace="web", speaker=mine)["status"] == "read"
