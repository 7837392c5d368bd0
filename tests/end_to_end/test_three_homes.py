"""Three homes on one computer, by the real commands: founded, joined, seen, and what people do with messages."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator

import pytest

from roosync_p2p import limits
from tests.helpers.fleet import ADMIN, Fleet, Machine, until

Report = Callable[[str, object], None]

_FRENCH = "Les tests échouent depuis ce matin — à corriger 🚀 « dès que possible »\nœuf, ça, Noël, 日本"


@pytest.fixture(scope="module")
def measured() -> dict[str, float]:
    return {}


@pytest.fixture(scope="module")
def fleet(measured: dict[str, float]) -> Iterator[Fleet]:
    """Everything by command: ``init``, ``up``, ``invite``, ``join``, ``up``; each node on a port the system chose."""
    with Fleet() as fleet:
        founder = fleet.add("myia-ai-01", listen="127.0.0.1:0")
        words = fleet.path / "passphrase"
        words.write_text("une phrase assez longue\n")
        words.chmod(0o600)
        founder.environ["ROOSYNC_PASSPHRASE_FILE"] = str(words)
        began = time.monotonic()
        document = json.loads(founder.admin("--json", "init", "--fleet", "Écurie", "--machine", "myia-ai-01"))
        assert document["machine"] == "myia-ai-01"
        founder.start()
        for name in ("myia-po-2023", "myia-web1"):
            code = founder.admin("invite", name).strip()
            assert "\n" not in code
            joiner = fleet.add(name, listen="127.0.0.1:0")
            before = time.monotonic()
            joined = joiner.json("join", code)
            assert (joined["inbound"]["checked"], joined["inbound"]["outcome"]) == (False, "same_computer")
            measured[f"join {name}"] = time.monotonic() - before
            assert joined["machine"] == name
            joiner.start()
        fleet.until_linked()
        measured["from nothing to three that see each other"] = time.monotonic() - began
        yield fleet


def test_each_shows_all_online_with_direct_evidence(
    fleet: Fleet, measured: dict[str, float], record_property: Report
) -> None:
    for name, took_s in measured.items():
        record_property(name, round(took_s, 2))
        print(f"{name}: {took_s:.2f} s")
    for machine in fleet.machines.values():
        rows = machine.json("machines")["machines"]
        assert [row["machine"] for row in rows] == ["myia-ai-01", "myia-po-2023", "myia-web1"]
        for row in rows:
            assert row["state"] == "online"
            assert row["self"] or row["evidence"]["path"] == "direct"
            assert row["self"] or row["evidence"]["age_s"] < 3
        status = machine.json("status")
        assert status["summary"]["online"] == 3
        assert status["links"] == 2
        assert status["commit"]["leader"] == "myia-ai-01"
        assert status["folder"] is None
        assert status["warnings"] == []
        concerned = machine.name == "myia-ai-01"
        assert [one["code"] for one in status["reminders"]] == (["no_backup", "single_issuer"] if concerned else [])
    until(
        lambda: all(m.json("status")["state"] == "synced" for m in fleet.machines.values()), 50, what="all are synced"
    )


def test_the_issuer_is_reminded_of_what_is_to_do_until_a_backup_is_made_and_nothing_else_changes(fleet: Fleet) -> None:
    founder = fleet.machines["myia-ai-01"]
    top, *below = founder.run("status").stdout.splitlines()
    assert "warnings" not in top
    assert any(line.startswith("to do: no backup") for line in below)
    checks = {check["id"]: check["severity"] for check in founder.json("doctor")["checks"] if not check["ok"]}
    assert (checks["no_backup"], checks["single_issuer"]) == ("warning", "warning")
    file, words = str(fleet.path / "founder.backup"), str(fleet.path / "passphrase")
    founder.json("backup", file, "--passphrase-file", words, tool=ADMIN)
    assert [one["code"] for one in founder.client.status()["reminders"]] == ["single_issuer"]


def test_a_message_goes_from_sent_to_delivered_to_read_and_is_answered_in_its_thread(
    fleet: Fleet, record_property: Report
) -> None:
    ai, po, web = fleet.machines.values()
    waiting = po.begin("--json", "inbox", "--wait", "60")
    with po.record() as events:
        began = time.monotonic()
        sent = ai.json(
            "send", "myia-po-2023", "Tests rouges 🔴", "-", "--priority", "HIGH", "--tag", "ci", stdin=_FRENCH
        )
        arrived_s = events.wait("message", within_s=20, id=sent["id"]).at_s - began
    record_property("send command to arrival", round(arrived_s, 3))
    assert sent["states"] == {"myia-po-2023": "sent"} or sent["states"] == {"myia-po-2023": "delivered"}
    out, _ = waiting.communicate(timeout=60)
    page = json.loads(out)
    assert [message["id"] for message in page["messages"]] == [sent["id"]]
    message = page["messages"][0]
    assert (message["subject"], message["priority"], message["tags"]) == ("Tests rouges 🔴", "HIGH", ["ci"])
    assert (message["from"], message["signer"], message["verified"]) == ("myia-ai-01", "myia-ai-01", True)
    _until_states(ai, sent["id"], {"myia-po-2023": "delivered"})

    read = po.json("read", sent["id"])
    assert read["body"] == _FRENCH
    assert read["thread_id"] == sent["thread_id"] == sent["id"]
    _until_states(ai, sent["id"], {"myia-po-2023": "read"})
    assert po.json("inbox")["messages"] == []

    answer = po.json("reply", sent["id"], "Corrigé ✅")
    assert answer["thread_id"] == sent["id"]
    _until_arrived(ai, answer["id"])
    shown = ai.json("read", answer["id"])
    assert (shown["subject"], shown["in_reply_to"], shown["body"]) == ("Re: Tests rouges 🔴", sent["id"], "Corrigé ✅")
    assert shown["thread_id"] == sent["id"]
    again = ai.json("reply", answer["id"], "Merci")
    assert again["thread_id"] == sent["id"]
    _until_arrived(po, again["id"])
    assert next(row for row in po.inbox() if row["id"] == again["id"])["subject"] == "Re: Tests rouges 🔴"
    assert all(row["thread_id"] != sent["id"] for row in web.inbox())
    assert "NOT VERIFIED" not in po.run("read", again["id"]).stdout


def test_a_broadcast_has_a_state_for_each_machine(fleet: Fleet) -> None:
    ai, po, web = fleet.machines.values()
    sent = web.json("send", "all", "Réunion", "à 15 h")
    _until_states(web, sent["id"], {"myia-ai-01": "delivered", "myia-po-2023": "delivered"})
    assert ai.json("read", sent["id"])["body"] == "à 15 h"
    _until_states(web, sent["id"], {"myia-ai-01": "read", "myia-po-2023": "delivered"})
    assert sum(row["id"] == sent["id"] for row in po.inbox()) == 1
    assert all(row["id"] != sent["id"] for row in web.inbox())


def test_sending_twice_with_one_key_is_sending_once_also_after_a_restart(fleet: Fleet) -> None:
    ai, po, _web = fleet.machines.values()
    command = ("send", "myia-po-2023", "Une fois", "corps", "--idempotency-key", "clé-1")
    first = ai.json(*command)
    assert ai.json(*command)["id"] == first["id"]
    ai.run("down")
    assert ai.wait_end() == 0
    ai.start()
    ai.until_ready()
    assert ai.json(*command)["id"] == first["id"]
    fault = ai.refusal("send", "myia-po-2023", "Autre", "corps", "--idempotency-key", "clé-1")
    assert fault["code"] == "key_reused"
    assert fault["details"]["id"] == first["id"]
    fleet.until_linked()
    _until_arrived(po, first["id"])
    assert sum(row["subject"] == "Une fois" for row in po.inbox()) == 1


def test_a_body_of_250_kib_goes_through_and_a_larger_one_is_refused(fleet: Fleet) -> None:
    ai, po, _web = fleet.machines.values()
    body = "é" * (125 * 1024)
    sent = ai.json("send", "myia-po-2023", "Gros", "-", stdin=body)
    _until_arrived(po, sent["id"])
    assert po.json("read", sent["id"])["body"] == body
    before = len(po.inbox())
    fault = ai.refusal("send", "myia-po-2023", "Trop gros", "-", stdin="é" * (limits.ENTRY_BODY_BYTES_MAX // 2 + 1))
    assert fault["code"] == "oversized"
    assert str(limits.ENTRY_BODY_BYTES_MAX) in fault["message"]
    ai.refusal("send", "myia-po-2023", "Bien trop gros", "-", stdin="x" * 2 * 1024 * 1024, code=2)
    marker = ai.json("send", "myia-po-2023", "Après", "")
    _until_arrived(po, marker["id"])
    assert len(po.inbox()) == before + 1


def test_a_text_from_windows_arrives_as_it_was_meant(fleet: Fleet) -> None:
    ai, po, _web = fleet.machines.values()
    for encoding in ("utf-8-sig", "utf-16"):
        sent = ai.json("send", "myia-po-2023", "BOM", "-", stdin="café".encode(encoding))
        _until_arrived(po, sent["id"])
        assert po.json("read", sent["id"])["body"] == "café"


def test_send_waits_until_it_is_read(fleet: Fleet) -> None:
    ai, po, _web = fleet.machines.values()
    with po.record() as events:
        sending = ai.begin("--json", "send", "myia-po-2023", "Attends", "corps", "--wait")
        message = events.wait("message", within_s=50, subject="Attends")
        po.json("read", str(message.event.data["id"]))
    out, err = sending.communicate(timeout=60)
    assert sending.returncode == 0, err
    assert json.loads(out)["states"] == {"myia-po-2023": "read"}


def test_the_machines_are_listed_by_the_key_tool(fleet: Fleet) -> None:
    ai = next(iter(fleet.machines.values()))
    listed = ai.json("list", tool=ADMIN)
    assert {"myia-ai-01", "myia-po-2023", "myia-web1"} <= {row["machine"] for row in listed["machines"]}


def _until_arrived(machine: Machine, message: str) -> None:
    until(
        lambda: any(row["id"] == message for row in machine.inbox()),
        50,
        what=f"{message} arrives at {machine.name}",
        shown=machine.log,
    )


def _until_states(sender: Machine, message: str, wanted: dict[str, str]) -> None:
    until(
        lambda: sender.client.message(message)["states"] == wanted,
        50,
        what=f"{message} is {wanted}",
        shown=lambda: f"{sender.client.message(message)}\n{sender.log()}",
    )
