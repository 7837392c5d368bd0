"""Both clients against the real server."""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import anyio
import msgspec
import pytest

import roosync_p2p
from roosync_p2p import Client, SyncClient, limits
from roosync_p2p.api import claim_schemas, decision_schemas, ordered_schemas
from roosync_p2p.api.endpoint import Endpoint, write_endpoint
from roosync_p2p.api.event_stream import parse_event_id
from roosync_p2p.api.events import Event
from roosync_p2p.api.schemas import (
    Countersignature,
    Doctor,
    Inbox,
    Invite,
    Machines,
    Message,
    Sent,
    Status,
)
from roosync_p2p.errors import (
    InputFault,
    NetworkError,
    NotRunningError,
    RoosyncError,
    UndecidedError,
    UsageError,
)
from tests.helpers.api_server import RunningApi
from tests.helpers.fake_ledger import NEVER
from tests.helpers.sockets import closed_port


def test_every_answer_has_the_documented_shape(api: RunningApi, client: SyncClient) -> None:
    sent = client.send(["MYIA-ai-01", "all:roosync"], "déjà", "vu", tags=["a"], workspace="roosync")
    answers = [
        (client.status(), Status),
        (client.machines(), Machines),
        (sent, Sent),
        (client.inbox(workspaces=["", "roosync"]), Inbox),
        (client.message(sent["id"]), Message),
        (client.read(sent["id"], workspace="roosync"), Message),
        (client.reply(sent["id"], "yes"), Sent),
        (client.invite("myia-po-2024", ttl_s=60), Invite),
        (client.pending_countersignature(), Countersignature),
        (client.doctor(), Doctor),
    ]
    for answer, shape in answers:
        msgspec.convert(answer, shape, strict=True)
    assert sent["states"] == {"myia-ai-01": "delivered", "all:roosync": "delivered"}
    assert client.offer_countersignature("AAAA") == {"ok": True}
    assert api.backend.offered == ["AAAA"]


def test_every_answer_about_the_ledger_has_the_documented_shape(api: RunningApi, client: SyncClient) -> None:
    opened = client.open_session(workspace="roosync", client="claude")
    speaker = {"secret": opened["secret"]}
    claimed = client.claim("issue/1", note="n", workspace="roosync", speaker=speaker)
    with pytest.raises(UndecidedError) as caught:
        client.claim(NEVER)
    waiting = str(caught.value.details["entry"])
    answers = [
        (opened, claim_schemas.Session),
        (claimed, claim_schemas.Claim),
        (client.claims(), claim_schemas.Claims),
        (client.check_claim("issue/1", claimed["token"]), claim_schemas.ClaimCheck),
        (client.renew_claim("issue/1", speaker=speaker), claim_schemas.Claim),
        (client.release_claim("issue/1", speaker=speaker), claim_schemas.Released),
        (client.log(), ordered_schemas.Log),
        (client.pending(), ordered_schemas.PendingRequests),
        (client.pending_request(waiting[:16]), ordered_schemas.Pending),
        (client.cancel_request(waiting), ordered_schemas.Ordered),
        (client.voters(), ordered_schemas.Voters),
        (client.register(), ordered_schemas.Register),
        (client.accept_clock(), ordered_schemas.ClockAccepted),
        (client.carry_statement("person.add", b"statement"), ordered_schemas.Ordered),
        (client.see_lost(1), ordered_schemas.SeenLost),
        (client.retire("myia-po-2023", reason="sold"), ordered_schemas.Ordered),
        (client.revoke(b"statement"), ordered_schemas.RevocationHeard),
        (client.renew_session(opened["secret"]), claim_schemas.RenewedSession),
        (client.close_session(opened["secret"]), claim_schemas.ClosedSession),
    ]
    for answer, shape in answers:
        msgspec.convert(answer, shape, strict=True)
    assert api.backend.ledger.clock_accepted


def test_every_answer_about_decisions_has_the_documented_shape(client: SyncClient) -> None:
    actions: list[dict[str, object]] = [
        {"op": "set", "resource": "config:ci.json#/python", "value": "3.13"},
        {"op": "run", "resource": "service:node", "name": "restart", "arguments": ["now"]},
        {"op": "file", "resource": "file:a", "content": "AAAA"},
        {"op": "remove", "resource": "file:b"},
    ]
    proposed = client.propose("Été", actions, targets=["all"], severity="IMPORTANT", expires_s=3600)
    name = proposed["id"]
    person = {"person": "jean", "signature": "A" * 86 + "==", "not_after_ms": 1}
    fence = {"fence": {"name": "issue-1", "token": 3}, "idempotency_key": "k", "timeout_s": 2}
    answers = [
        (proposed, decision_schemas.Decision),
        (client.decisions(state="pending"), decision_schemas.Decisions),
        (client.decision(name), decision_schemas.Decisions),
        (client.approve(name, revision=proposed["revision"], person=person, ordering=fence), decision_schemas.Decision),
        (client.reject(name, note="no"), decision_schemas.Decision),
        (client.resolve(name, "D9"), decision_schemas.Decision),
        (client.apply_decision(name), decision_schemas.Decision),
        (client.roll_back(name), decision_schemas.Decision),
        (client.archive_decision(name), decision_schemas.Decision),
        (client.set_baseline({"patch": {"a": None}}), decision_schemas.Decision),
        (client.set_baseline({"document": {"été": [1.5, True]}}, version=1), decision_schemas.Decision),
        (client.baseline(), decision_schemas.Baseline),
        (client.baseline_history(), decision_schemas.BaselineHistory),
        (client.baseline_diff(1, 2), decision_schemas.BaselineDiff),
        (client.restore_baseline(0), decision_schemas.Decision),
        (client.set_policy("approvals.decisions", 2), decision_schemas.Decision),
        (client.policies(), decision_schemas.Policies),
        (client.set_policy("approvals.decisions"), decision_schemas.Decision),
        (client.prefer_voters(["myia-po-2023"]), decision_schemas.Decision),
    ]
    for answer, shape in answers:
        msgspec.convert(answer, shape, strict=True)
    assert client.baseline(2)["document"] == {"été": [1.5, True]}


@pytest.mark.parametrize(
    "change", [{}, {"patch": {}, "document": {}}, {"actions": []}, {"actions": [{"op": "x", "resource": "a:b"}]}]
)
def test_a_change_of_the_baseline_says_one_thing(client: SyncClient, change: dict[str, object]) -> None:
    with pytest.raises(UsageError) as caught:
        client.set_baseline(change)
    assert caught.value.code == "bad_field"


def test_an_empty_id_is_not_the_whole_collection(client: SyncClient) -> None:
    for ask in (
        client.decision,
        client.message,
        client.pending_request,
        client.cancel_request,
        client.archive_decision,
    ):
        with pytest.raises(UsageError, match="the id is empty"):
            ask("")


def test_null_is_a_value(client: SyncClient, api: RunningApi) -> None:
    client.set_baseline({"actions": [{"op": "set", "resource": "baseline:fleet#/a", "value": None}]})
    assert api.backend.baseline.versions[-1] == {"a": None}


def test_a_claim_without_a_speaker_is_this_programs(client: SyncClient) -> None:
    assert client.claim("x")["holder"]["session"].endswith(f"//{os.getpid()}")
    with pytest.raises(InputFault) as caught:
        client.claim("x", speaker={"secret": "made up"})
    assert caught.value.code == "unknown_session"
    with pytest.raises(UsageError) as nobody:
        client.claim("x", speaker={})
    assert "who asks" in nobody.value.message


@pytest.mark.parametrize(
    ("ask", "code"),
    [
        (lambda client: client.steal_claim("x"), "no_authority"),
        (lambda client: client.settle("myia-po-2023", "ab" * 32), "no_such_fork"),
        (lambda client: client.leave(), "last_member"),
        (lambda client: client.recover(b"statement"), "not_supported"),
        (lambda client: client.see_lost(2), "nothing_lost"),
        (lambda client: client.pending_request("ffffffff"), "no_such_request"),
    ],
)
def test_what_the_ledger_refuses_keeps_its_code(
    client: SyncClient, ask: Callable[[SyncClient], object], code: str
) -> None:
    with pytest.raises(InputFault) as caught:
        ask(client)
    assert caught.value.code == code


def test_the_nodes_refusal_is_raised_as_it_was(client: SyncClient) -> None:
    with pytest.raises(InputFault) as caught:
        client.message("msg-20260115T091530-ffffff")
    assert type(caught.value) is InputFault
    assert (caught.value.code, caught.value.remedy) == ("no_such_message", "see `roosync inbox`")
    with pytest.raises(InputFault) as issued:
        client.issue("pem")
    assert issued.value.details == {"bytes": 3}


def test_an_id_cannot_leave_its_place_in_the_path(client: SyncClient) -> None:
    with pytest.raises(RoosyncError) as caught:
        client.message("../status")
    assert caught.value.code == "bad_field"


def test_a_body_that_the_node_would_refuse_is_not_sent(client: SyncClient) -> None:
    with pytest.raises(UsageError) as caught:
        client.send("all", "s", "x" * limits.API_BODY_BYTES_MAX)
    assert caught.value.code == "too_large"


def test_a_token_of_another_start_is_refused_with_a_remedy(api: RunningApi, client: SyncClient) -> None:
    stale = {**json.loads((api.home / "api.json").read_text()), "token": "stale"}
    (api.home / "api.json").write_text(json.dumps(stale))
    with pytest.raises(InputFault) as caught:
        client.status()
    assert caught.value.code == "unauthorized"
    assert caught.value.remedy


def test_an_inbox_that_waits_returns_with_the_message(api: RunningApi, client: SyncClient) -> None:
    arrived = []
    thread = threading.Thread(target=lambda: arrived.append(client.inbox(wait_s=10)))
    thread.start()
    with client.events() as _events:
        sent = client.send("myia-ai-01", "hello")
    thread.join(timeout=5)
    assert [message["id"] for message in arrived[0]["messages"]] == [sent["id"]]


def test_a_caller_that_hangs_up_leaves_nothing_waiting(api: RunningApi) -> None:
    async def hang_up() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(lambda: Client(api.home, environ={}).inbox(wait_s=60))
            await _until(api, 1)
            group.cancel_scope.cancel()
        await _until(api, 0)

    anyio.run(hang_up)


def test_the_async_client_does_the_same(api: RunningApi) -> None:
    async def use() -> None:
        client = Client(api.home, environ={})
        assert (await client.status())["state"] == "synced"
        async with client.events() as events:
            sent = await client.send("myia-ai-01", "hello")
            async for event in events:
                assert (event.type, event.data["id"]) == ("message", sent["id"])
                break
        with pytest.raises(InputFault):
            await client.message("nope")

    anyio.run(use)


def test_events_resume_after_the_last_one_seen(client: SyncClient) -> None:
    ids = [client.send("myia-ai-01", f"{number}")["id"] for number in range(4)]
    with client.events(after=0) as events:
        first, second = next(events), next(events)
    assert [first.data["id"], second.data["id"]] == ids[:2]
    with client.events(after=second.id) as events:
        assert [next(events).data["id"] for _ in range(2)] == ids[2:]


def test_a_new_stream_starts_with_what_comes(client: SyncClient) -> None:
    client.send("myia-ai-01", "before")
    with client.events() as events:
        sent = client.send("myia-ai-01", "after")
        assert next(events).data["id"] == sent["id"]


def test_a_stream_at_rest_is_kept_alive_by_comments_that_nobody_sees(tcp_api: RunningApi) -> None:
    endpoint = tcp_api.endpoint
    assert endpoint.port is not None
    with socket.create_connection(("127.0.0.1", endpoint.port), timeout=5) as raw:
        head = f"GET /v1/events HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {endpoint.token}\r\n\r\n"
        raw.sendall(head.encode())
        seen = b""
        while seen.count(b": alive") < 3:
            seen += raw.recv(4096)
    client = SyncClient(tcp_api.home, environ={})
    with client.events(after=0) as events:
        client.send("myia-ai-01", "hello")
        assert isinstance(next(events), Event)


def test_pauses_come_between_events_and_lose_none_and_comments_do_not_put_them_off(tcp_api: RunningApi) -> None:
    client = SyncClient(tcp_api.home, environ={})
    with client.events_or_pauses(0.2) as moments:  # a comment comes ten times as often
        began_s = time.monotonic()
        assert next(moments) is None
        assert time.monotonic() - began_s >= 0.2
        sent = [client.send("myia-ai-01", f"{number}")["id"] for number in range(20)]
        seen: list[str] = []
        while len(seen) < len(sent):
            moment = next(moments)
            if moment is not None:
                seen.append(moment.data["id"])
        assert seen == sent
        assert next(moments) is None


def test_a_pause_that_is_long_overdue_does_not_spin(tcp_api: RunningApi) -> None:
    client = SyncClient(tcp_api.home, environ={})
    with client.events_or_pauses(0.2) as moments:
        assert next(moments) is None
        for _ in range(3):  # the reader is slow: the next pause is counted from when it comes back
            client.status()
            began_s = time.monotonic()
            assert next(moments) is None
            assert time.monotonic() - began_s >= 0.19


def test_pauses_end_with_the_node(api: RunningApi, client: SyncClient) -> None:
    with client.events_or_pauses(0.1) as moments:
        assert next(moments) is None
        api.portal.call(api.backend.shutdown)
        assert [moment for moment in moments if moment is not None] == []


@pytest.mark.parametrize("value", ["x", "-1", "9" * 30])
def test_an_event_id_that_is_none_is_refused(value: str) -> None:
    with pytest.raises(UsageError):
        parse_event_id(value)


def test_events_of_a_stranger_are_refused_like_any_call(api: RunningApi) -> None:
    token = api.home.parent / "token"
    token.write_text("wrong")
    environ = {"ROOSYNC_API": _address(api.endpoint), "ROOSYNC_TOKEN_FILE": str(token)}
    with pytest.raises(InputFault) as caught, SyncClient(api.home, environ=environ).events():
        pass
    assert caught.value.code == "unauthorized"


def test_clients_elsewhere_on_the_computer_use_the_environment(tcp_api: RunningApi, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text(tcp_api.endpoint.token + "\n")
    port = tcp_api.endpoint.port
    environ = {"ROOSYNC_API": f"http://127.0.0.1:{port}", "ROOSYNC_TOKEN_FILE": str(token)}
    assert SyncClient(tmp_path / "no-home", environ=environ).status()["machine"] == "myia-ai-01"
    environ["ROOSYNC_TOKEN_FILE"] = str(tcp_api.home / "api.json")
    assert SyncClient(tmp_path / "no-home", environ=environ).status()["machine"] == "myia-ai-01"


def test_without_a_node_the_remedy_is_to_start_it(tmp_path: Path) -> None:
    with pytest.raises(NotRunningError, match=r"no api\.json") as caught:
        SyncClient(tmp_path, environ={}).status()
    assert "roosync up" in caught.value.remedy


def test_the_address_of_a_dead_node_is_not_dialled(tmp_path: Path) -> None:
    write_endpoint(tmp_path, Endpoint(token="t", host="127.0.0.1", port=9, pid=2**22 + 1))
    with pytest.raises(NotRunningError, match="is gone"):
        SyncClient(tmp_path, environ={}).status()


def test_an_address_where_nothing_listens_is_no_node(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t")
    environ = {"ROOSYNC_API": f"http://127.0.0.1:{closed_port()}", "ROOSYNC_TOKEN_FILE": str(tmp_path / "token")}
    with pytest.raises(NotRunningError):
        SyncClient(tmp_path, environ=environ).status()
    with pytest.raises(NotRunningError):
        anyio.run(Client(tmp_path, environ=environ).status)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{",
        b"SSH-2.0-x\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n[]",
    ],
)
def test_what_answers_like_no_node_is_a_network_error(tmp_path: Path, answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer_once() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)

        thread = threading.Thread(target=answer_once)
        thread.start()
        (tmp_path / "token").write_text("t")
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        environ = {"ROOSYNC_API": address, "ROOSYNC_TOKEN_FILE": str(tmp_path / "token")}
        with pytest.raises(NetworkError) as caught:
            SyncClient(tmp_path, environ=environ).status()
        thread.join(timeout=5)
    assert caught.value.code in ("connection_lost", "bad_answer")


def test_the_package_offers_both_clients_and_no_other_names() -> None:
    assert {"Client", "SyncClient"} <= set(roosync_p2p.__all__)
    with pytest.raises(AttributeError):
        roosync_p2p.Nothing  # noqa: B018 - the access is what is tested


def _address(endpoint: Endpoint) -> str:
    if sys.platform == "win32":
        return f"http://{endpoint.host}:{endpoint.port}"
    return f"unix:{endpoint.socket}"


async def _until(api: RunningApi, waiting: int) -> None:
    with anyio.fail_after(5):
        while api.backend.waiting != waiting:
            await anyio.lowlevel.checkpoint()


@pytest.mark.parametrize("name", ["/", "a/b", "../status", "..", "\udcff"])
def test_what_cannot_be_an_id_is_said_to_be_none_and_asks_nobody(client: SyncClient, name: str) -> None:
    for ask in (client.message, client.read, client.decision, client.pending_request):
        with pytest.raises(UsageError) as caught:
            ask(name)
        assert caught.value.code == "bad_field"


@pytest.mark.parametrize("field", ["subject", "body", "tags"])
def test_bytes_that_are_no_utf_8_are_named_with_their_field(client: SyncClient, field: str) -> None:
    said: dict[str, object] = {"subject": "subject", "body": "body", field: ["\udcff"] if field == "tags" else "\udcff"}
    with pytest.raises(UsageError, match=field) as caught:
        client.send("myia-ai-01", **said)  # type: ignore[arg-type]  # fields of the test's choice
    assert caught.value.code == "bad_text"
