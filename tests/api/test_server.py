"""The server as strangers and friends meet it: raw HTTP against the real thing."""

from __future__ import annotations

import http.client
import json
import os
import re
import stat
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio
import pytest

from roosync_p2p import limits
from roosync_p2p.api.attachment_routes import ATTACHMENT_PATH, UPLOAD_PATH
from roosync_p2p.api.endpoint import read_endpoint
from roosync_p2p.api.operations import OPERATIONS
from roosync_p2p.api.sync_client import SyncClient
from roosync_p2p.errors import EnvironmentFault, NotRunningError
from tests.helpers.api_server import RunningApi, running_api

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="modes and unix sockets")


def ask(
    api: RunningApi,
    path: str = "/v1/status",
    *,
    method: str = "GET",
    body: bytes | None = None,
    headers: Mapping[str, str | None] | None = None,
) -> tuple[int, dict[str, Any]]:
    """One raw request on 127.0.0.1; a header of None is left out."""
    assert api.endpoint.port is not None
    wanted = {
        "host": f"127.0.0.1:{api.endpoint.port}",
        "authorization": f"Bearer {api.endpoint.token}",
        "content-type": "application/json",
        **(headers or {}),
    }
    connection = http.client.HTTPConnection("127.0.0.1", api.endpoint.port, timeout=10)
    try:
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in wanted.items():
            if value is not None:
                connection.putheader(name, value)
        if body is not None:
            connection.putheader("content-length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def test_a_friend_is_answered(tcp_api: RunningApi) -> None:
    status, document = ask(tcp_api)
    assert status == 200
    assert document["state"] == "synced"


@pytest.mark.parametrize("authorization", [None, "", "Bearer ", "Bearer wrong", "Basic {token}", "bearer {token}é"])
def test_without_the_very_token_nothing_is_said(tcp_api: RunningApi, authorization: str | None) -> None:
    given = None if authorization is None else authorization.format(token=tcp_api.endpoint.token)
    status, problem = ask(tcp_api, headers={"authorization": given})
    assert (status, problem["code"]) == (401, "unauthorized")
    assert tcp_api.endpoint.token not in json.dumps(problem)


@pytest.mark.parametrize("path", ["/v1/status", "/v1/openapi.json", "/v1/events", "/nowhere"])
def test_no_path_is_open_without_the_token(tcp_api: RunningApi, path: str) -> None:
    assert ask(tcp_api, path, headers={"authorization": None})[0] == 401


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "[::2]:1", ""])
def test_a_name_that_was_rebound_to_this_computer_is_refused(tcp_api: RunningApi, host: str) -> None:
    status, problem = ask(tcp_api, headers={"host": host})
    assert (status, problem["code"]) == (403, "forbidden_host")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1", "[::1]:99"])
def test_every_name_of_loopback_is_accepted(tcp_api: RunningApi, host: str) -> None:
    assert ask(tcp_api, headers={"host": host})[0] == 200


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:3000"])
def test_a_web_page_is_refused_even_with_the_token(tcp_api: RunningApi, origin: str) -> None:
    status, problem = ask(tcp_api, headers={"origin": origin})
    assert (status, problem["code"]) == (403, "forbidden_origin")


def test_a_body_that_is_too_large_is_refused_and_sends_nothing(tcp_api: RunningApi) -> None:
    body = b"x" * (limits.API_BODY_BYTES_MAX + 1)
    status, problem = ask(tcp_api, "/v1/messages", method="POST", body=body)
    assert (status, problem["code"]) == (413, "too_large")
    assert tcp_api.backend.messages == {}


@pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b"[]", b'"x"', b"[" * 100_000])
def test_malformed_json_is_refused(tcp_api: RunningApi, body: bytes) -> None:
    status, problem = ask(tcp_api, "/v1/messages", method="POST", body=body)
    assert status == 400
    assert problem["code"] in ("bad_json", "bad_field")


def test_a_body_of_another_type_is_refused(tcp_api: RunningApi) -> None:
    headers = {"content-type": "text/plain"}
    status, problem = ask(tcp_api, "/v1/messages", method="POST", body=b"{}", headers=headers)
    assert (status, problem["code"]) == (415, "not_json")


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("to", [], "to"),
        ("to", ["x"], "machine id"),
        ("to", ["myia-ai-01"] * (limits.RECIPIENTS_MAX + 1), "to"),
        ("subject", "", "subject"),
        ("subject", "x" * (limits.SUBJECT_CHARS_MAX + 1), "subject"),
        ("priority", "LOUD", "priority"),
        ("tags", ["x" * (limits.TAG_CHARS_MAX + 1)], "tags"),
        ("workspace", "a\nb", "workspace"),
        ("boddy", "x", "boddy"),
        ("body", 3, "body"),
    ],
)
def test_a_field_out_of_its_bounds_is_named(tcp_api: RunningApi, field: str, value: object, named: str) -> None:
    message = {"to": ["myia-ai-01"], "subject": "s", "body": "b", field: value}
    status, problem = ask(tcp_api, "/v1/messages", method="POST", body=json.dumps(message).encode())
    assert (status, problem["code"]) == (400, "bad_field")
    assert named in problem["detail"]
    assert tcp_api.backend.messages == {}


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=201", "limit=x", "wait_s=-1", "wait_s=1e9", "status=old", "nope=1", "sender=x"]
)
def test_a_query_out_of_its_bounds_is_refused(tcp_api: RunningApi, query: str) -> None:
    status, problem = ask(tcp_api, f"/v1/messages?{query}")
    assert (status, problem["code"]) == (400, "bad_field")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "name is empty"),
        ("x" * 200, "name has more than 128 characters"),
        ("a\nb", "name has characters that are not allowed in it"),
    ],
)
def test_a_text_out_of_its_bounds_is_said_in_words(tcp_api: RunningApi, name: str, said: str) -> None:
    body = json.dumps({"name": name, "speaker": {"user": "u", "process": 1}}).encode()
    status, problem = ask(tcp_api, "/v1/claims", method="POST", body=body)
    assert (status, problem["code"], problem["detail"]) == (400, "bad_field", said)


def test_an_unknown_path_and_a_wrong_method_are_problems_too(tcp_api: RunningApi) -> None:
    assert ask(tcp_api, "/v2/x")[1]["code"] == "no_such_route"
    assert ask(tcp_api, "/v1/status", method="DELETE")[1]["code"] == "wrong_method"


def test_a_mistake_of_ours_is_answered_without_its_insides(tcp_api: RunningApi) -> None:
    tcp_api.backend.failure = RuntimeError("secret insides")
    status, problem = ask(tcp_api)
    tcp_api.backend.failure = None
    assert (status, problem["code"]) == (500, "internal")
    assert "insides" not in json.dumps(problem)


def test_the_document_describes_every_operation(tcp_api: RunningApi) -> None:
    status, document = ask(tcp_api, "/v1/openapi.json")
    assert status == 200
    assert document["openapi"].startswith("3.1")
    described = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    streams = {("GET", "/v1/events"), ("POST", UPLOAD_PATH), ("GET", ATTACHMENT_PATH)}
    assert described == {(operation.method, operation.path) for operation in OPERATIONS} | streams
    references = set(re.findall(r"#/components/schemas/(\w+)", json.dumps(document)))
    assert references <= set(document["components"]["schemas"])


@posix_only
def test_address_and_socket_are_private_and_vanish_with_the_server(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with running_api(home) as api:
        assert read_endpoint(home) == api.endpoint
        assert api.endpoint.pid == os.getpid()
        assert stat.S_IMODE((home / "api.json").stat().st_mode) == 0o600
        assert api.endpoint.socket is not None
        assert stat.S_IMODE(Path(api.endpoint.socket).stat().st_mode) == 0o600
    assert not (home / "api.json").exists()
    assert not Path(api.endpoint.socket).exists()


@posix_only
def test_a_home_with_a_long_path_gets_its_socket_elsewhere(tmp_path: Path) -> None:
    home = tmp_path / ("long-" * 30) / "home"
    with running_api(home) as api:
        assert api.endpoint.socket is not None
        assert not Path(api.endpoint.socket).is_relative_to(home)
        assert SyncClient(home, environ={}).status()["machine"] == "myia-ai-01"
        folder = Path(api.endpoint.socket).parent
    folder.rmdir()  # empty: the socket is gone


@posix_only
def test_a_socket_left_by_a_dead_node_is_replaced(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "api.sock").write_text("left behind")
    with running_api(home):
        assert SyncClient(home, environ={}).status()["state"] == "synced"


def test_the_server_ends_within_its_bound_with_streams_and_waits_open(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with anyio.from_thread.start_blocking_portal() as portal:
        with running_api(home) as api, SyncClient(home, environ={}).events() as events:
            waiting = portal.start_task_soon(_wait_for_mail, home)
            portal.call(_until_waiting, api)
            began = time.monotonic()
            api.portal.call(api.backend.shutdown)
            assert list(events) == []
        assert time.monotonic() - began < limits.API_SHUTDOWN_S
        assert isinstance(waiting.exception(timeout=5), EnvironmentFault | NotRunningError)


async def _wait_for_mail(home: Path) -> None:
    await anyio.to_thread.run_sync(lambda: SyncClient(home, environ={}).inbox(wait_s=60))


async def _until_waiting(api: RunningApi) -> None:
    with anyio.fail_after(5):
        while not api.backend.waiting:
            await anyio.lowlevel.checkpoint()
