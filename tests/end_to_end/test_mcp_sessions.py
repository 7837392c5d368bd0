"""A connection is a session: seen while it lasts, gone with it or at its lease; and the server that the node keeps."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest

from roosync_p2p.api.mcp_door import door_token, door_url
from roosync_p2p.errors import NotRunningError
from tests.helpers.agents import Agent
from tests.helpers.fleet import Fleet, Machine, free_port, until

LEASE_S = 1.0


@pytest.fixture(scope="module")
def port() -> int:
    """Where the node's own server listens."""
    return free_port()


@pytest.fixture(scope="module")
def fleet(port: int) -> Iterator[Fleet]:
    with Fleet.found("machine-a") as fleet:
        machine = fleet.machines["machine-a"]
        machine.environ["ROOSYNC_MCP_LEASE"] = "1s"
        _settings(machine).write_text(f"[mcp]\nhttp = true\nport = {port}\n")
        machine.start()
        machine.until_ready()
        try:
            yield fleet
        finally:
            with contextlib.suppress(
                NotRunningError, psutil.NoSuchProcess
            ):  # one that an agent started is nobody's child
                psutil.Process(machine.client.endpoint().pid).kill()


@pytest.fixture
def a(fleet: Fleet) -> Machine:
    machine = fleet.machines["machine-a"]
    if not machine.running:
        machine.start()
    return machine


def _settings(machine: Machine) -> Path:
    return machine.home / "settings.toml"


def sessions(machine: Machine) -> dict[str, dict[str, Any]]:
    """The sessions of agents, by what their programs are called."""
    return {one["client"]: one for one in machine.row(machine.name)["sessions"]}


def until_seen(machine: Machine, *names: str) -> float:
    return until(lambda: set(names) <= set(sessions(machine)), 30, what=f"{names} are seen", shown=machine.log)


def until_gone(machine: Machine, *names: str) -> float:
    return until(lambda: not set(names) & set(sessions(machine)), 30, what=f"{names} are gone", shown=machine.log)


@contextlib.contextmanager
def by_hand(machine: Machine, *options: str, name: str) -> Iterator[subprocess.Popen[bytes]]:
    """A server over standard input whose client has shaken hands and then says nothing."""
    process = machine.begin("mcp", *options)
    assert process.stdin is not None
    hello = {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": name, "version": "1"},
    }
    for said in (
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
    ):
        process.stdin.write(json.dumps(said).encode() + b"\n")
    process.stdin.flush()
    until_seen(machine, f"{name} 1")
    try:
        yield process
    finally:
        process.kill()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                stream.close()
        process.wait(30)


@pytest.mark.skipif(sys.platform == "win32", reason="a process is not told to end there")
def test_a_session_is_kept_while_its_client_is_there_and_a_server_that_is_told_to_end_closes_it(a: Machine) -> None:
    with by_hand(a, "--workspace", "w", name="quiet") as process:
        first = sessions(a)["quiet 1"]
        assert first["workspace"] == "w"
        until(lambda: sessions(a)["quiet 1"]["last_active"] > first["last_active"], 30, what="it is touched")
        assert sessions(a)["quiet 1"]["session"] == first["session"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 128 + signal.SIGTERM
        out = process.stdout.read() if process.stdout is not None else b""
    assert "quiet 1" not in sessions(a)
    assert [json.loads(line)["id"] for line in out.splitlines()] == [1], "nothing but protocol on standard output"


def test_a_killed_agents_session_is_over_at_its_lease(a: Machine) -> None:
    with by_hand(a, "--lease", "1s", name="killed") as process:
        process.kill()
        process.wait(30)
        took_s = until_gone(a, "killed 1")
    assert took_s < 10 * LEASE_S


# --- over HTTP ----------------------------------------------------------------------------------------------------


def test_clients_of_one_server_have_sessions_of_their_own(a: Machine, port: int, tmp_path: Path) -> None:
    (tmp_path / "racine" / ".git").mkdir(parents=True)
    _server(a, port)
    with (
        Agent.http(a, port, name="one", roots=[(tmp_path / "racine").as_uri()]) as one,
        Agent.http(a, port, name="two") as two,
    ):
        you = [agent.call("roosync_status")["you"] for agent in (one, two)]
        assert you[0]["session"] != you[1]["session"]
        assert [row["workspace"] for row in you] == ["racine", None]
        one.call("roosync_claim", name="only-one", ttl="10m")
        assert two.refusal("roosync_claim", name="only-one")["code"] == "claim_held"
        assert two.refusal("roosync_claim", action="release", name="only-one")["code"] == "not_holder"
        seen = sessions(a)["two 1.2"]
        until(lambda: sessions(a)["two 1.2"]["last_active"] > seen["last_active"], 30, what="it is touched")
    until_gone(a, "one 1.2", "two 1.2")
    until(lambda: not a.client.claims()["claims"], 30, what="its claim is given back")


def test_a_client_over_http_that_vanishes_is_gone_at_its_lease(a: Machine, port: int) -> None:
    url, headers = door_url(port), _headers(a)
    hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "vanishing", "version": "1"}}
    with httpx2.Client(headers=headers, timeout=30) as client:
        opened = client.post(url, json={"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello})
        client.headers["Mcp-Session-Id"] = opened.headers["mcp-session-id"]
        client.post(url, json={"jsonrpc": "2.0", "method": "notifications/initialized"})
        with client.stream("GET", url):  # it listens
            client.post(url, json={"jsonrpc": "2.0", "id": 2, "method": "tools/list"})
            seen = sessions(a)["vanishing 1"]
            until(lambda: sessions(a)["vanishing 1"]["last_active"] > seen["last_active"], 30, what="it is touched")
    assert until_gone(a, "vanishing 1") < 10 * LEASE_S


def _headers(machine: Machine) -> dict[str, str]:
    return {
        "Authorization": f"Bearer {door_token(machine.home)}",
        "Accept": "application/json, text/event-stream",
        "Content-Type": "application/json",
    }


def test_only_programs_of_this_computer_that_know_the_token_get_in(a: Machine, port: int) -> None:
    url, right = door_url(port), _headers(a)
    hello = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {}}

    def said(headers: dict[str, str], where: str = url) -> httpx2.Response:
        return httpx2.post(where, headers={**right, **headers}, json=hello)

    assert said({"Authorization": "Bearer wrong"}).status_code == 401
    assert "--install" in said({"Authorization": ""}).json()["remedy"]
    assert said({"Host": "evil.example"}).json()["code"] == "forbidden_host"
    assert said({"Origin": "http://evil.example"}).json()["code"] == "forbidden_origin"
    assert said({}, url.replace("/mcp", "/other")).status_code == 404
    modern = said({"MCP-Protocol-Version": "2026-07-28"})
    assert (modern.status_code, modern.json()["error"]["code"], modern.json()["id"]) == (400, -32022, 1)
    assert "2025-06-18" in modern.json()["error"]["data"]["supported"]
    assert httpx2.get(url, headers={**right, "Mcp-Session-Id": "unknown"}).status_code == 404
    with pytest.raises(httpx2.ConnectError):
        httpx2.post(f"http://[::1]:{port}/mcp", json=hello)


# --- with and without a node --------------------------------------------------------------------------------------


def test_the_node_keeps_the_shared_server_and_leaves_none_behind(a: Machine, port: int) -> None:
    first = _server(a, port)
    first.kill()
    until(lambda: _server(a, port) != first, 30, what="it is started again", shown=a.log)
    with Agent.http(a, port) as agent:
        assert agent.call("roosync_status")["you"]["machine"] == "machine-a"
    second = _server(a, port)
    a.kill()
    until(lambda: not second.is_running(), 30, what="nobody is left behind")
    _settings(a).unlink()


def _server(machine: Machine, port: int) -> psutil.Process:
    """The server that the node keeps, once it answers."""

    def answers() -> bool:
        with contextlib.suppress(httpx2.TransportError):
            return httpx2.get(door_url(port)).status_code == 401
        return False

    until(answers, 30, what="the server answers", shown=machine.log)
    (found,) = [one for one in psutil.Process(machine.pid).children() if "mcp" in one.cmdline()]
    return found


def test_without_a_node_tools_say_what_helps_and_one_is_started_if_the_settings_say_so(
    a: Machine, tmp_path: Path
) -> None:
    for folder in ("racine", "ici"):
        (tmp_path / folder / ".git").mkdir(parents=True)
    settings, roots = _settings(a), [(tmp_path / "racine").as_uri()]
    with Agent.stdio(a, name="patient", mode="legacy", cwd=str(tmp_path / "ici"), roots=roots) as agent:
        assert agent.call("roosync_status")["you"]["workspace"] == "racine", "its root, not its directory"
        a.stop()
        for tool in agent.tools():
            said = {"action": "mark_read", "message_id": "x"} if tool.name == "roosync_manage" else {}
            error = agent.refusal(tool.name, **said)
            assert error["code"] == "not_running"
            assert "roosync up" in error["remedy"]
        a.start()
        _wait_over_a_restart(agent, a)
        until_seen(a, "patient 1.2")
        a.stop()
        settings.write_text(f'[node]\nlisten = "{a.listen}"\n[discovery]\nmdns = false\n[mcp]\nstart_node = true\n')
        try:
            assert agent.call("roosync_status")["you"]["session"]
        finally:
            settings.unlink()
        until_seen(a, "patient 1.2")
    assert "patient 1.2" not in sessions(a), "its session ends with the connection"
    node = psutil.Process(a.client.endpoint().pid)
    assert node.is_running(), "it outlives the agent that started it"
    a.run("down")
    until(lambda: not node.is_running() or node.status() == psutil.STATUS_ZOMBIE, 30, what="it ends")


def _wait_over_a_restart(agent: Agent, a: Machine) -> None:
    """A wait goes on while the node is started again."""

    async def waiting() -> Any:
        restarted: list[bool] = []

        async def progress(progress: float, total: float | None, message: str | None) -> None:
            if not restarted:
                restarted.append(True)
                a.stop()
                a.start()
                a.until_ready()
                a.client.send("machine-a", "Après", "x")

        return await agent.client.call_tool("roosync_wait", {"timeout_s": 50}, progress_callback=progress)

    result = agent.run(waiting)
    assert [row["subject"] for row in result.structured_content["messages"]] == ["Après"]
