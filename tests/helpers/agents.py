"""Agents as users have them: the official client of the protocol, over standard input or HTTP, driven from a test.

    with Agent.stdio(machine) as agent:
        agent.call("roosync_status")

Each agent has an event loop in a thread of its own. The SDK is imported when an agent is made: every process of the
tests reads the files that use this one, and few of them make agents.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any, Final, Self

from anyio.from_thread import BlockingPortal, start_blocking_portal

from roosync_p2p.api.mcp_door import door_token, door_url
from tests.helpers.fleet import Machine

if TYPE_CHECKING:
    from mcp import Client, types
    from mcp.client.session import ClientRequestContext

__all__ = ["Agent", "http_server"]

CALL_S: Final = 60.0


class Agent:
    """One connected client."""

    def __init__(self, portal: BlockingPortal, client: Client, heard: list[Any]) -> None:
        self._portal = portal
        self.client = client
        self.heard = heard

    @classmethod
    @contextlib.contextmanager
    def stdio(
        cls,
        machine: Machine,
        *options: str,
        mode: str = "auto",
        name: str = "an-agent",
        cwd: str | None = None,
        environ: dict[str, str] | None = None,
        roots: list[str] | None = None,
    ) -> Iterator[Self]:
        """An agent that starts the server itself. ``mode``: the era of the protocol, as the SDK's client calls it."""
        from mcp import StdioServerParameters  # noqa: PLC0415 - as the first lines say
        from mcp.client.stdio import stdio_client  # noqa: PLC0415

        server = StdioServerParameters(
            command=sys.executable,
            args=["-m", "roosync_p2p", "--home", str(machine.home), "mcp", *options],
            env={**machine.environ, **(environ or {})},
            cwd=cwd or str(machine.home.parent),
        )
        connected = _connected(stdio_client(server), mode, name, roots)
        with start_blocking_portal() as portal, portal.wrap_async_context_manager(connected) as found:
            yield cls(portal, *found)

    @classmethod
    @contextlib.contextmanager
    def http(
        cls, machine: Machine, port: int, *, name: str = "an-agent", query: str = "", roots: list[str] | None = None
    ) -> Iterator[Self]:
        """An agent of the server that all of a computer share."""
        headers = {"Authorization": f"Bearer {door_token(machine.home)}"}
        connected = _over_http(door_url(port) + query, headers, name, roots)
        with start_blocking_portal() as portal, portal.wrap_async_context_manager(connected) as found:
            yield cls(portal, *found)

    def raw(self, name: str, /, **arguments: Any) -> types.CallToolResult:
        """What a tool answers, error or not."""
        result: types.CallToolResult = self._portal.call(self._call, name, arguments)
        return result

    def call(self, name: str, /, **arguments: Any) -> dict[str, Any]:
        """The structured content of a call that works."""
        result = self.raw(name, **arguments)
        assert not result.is_error, text_of(result)
        assert text_of(result)
        found: dict[str, Any] | None = result.structured_content
        assert found is not None
        return found

    def text(self, name: str, /, **arguments: Any) -> str:
        """The text of a call that works."""
        result = self.raw(name, **arguments)
        assert not result.is_error, text_of(result)
        return text_of(result)

    def refusal(self, name: str, /, **arguments: Any) -> dict[str, Any]:
        """The error of a call that does not."""
        result = self.raw(name, **arguments)
        assert result.is_error, text_of(result)
        assert result.structured_content is not None
        error: dict[str, Any] = result.structured_content["error"]
        assert error["code"] in text_of(result)
        assert error["remedy"], "an error says what to do next"
        assert error["remedy"] in text_of(result)
        return error

    def tools(self) -> list[types.Tool]:
        """What is listed."""
        return self._portal.call(self.client.list_tools).tools

    def run(self, do: Any, *args: Any) -> Any:
        """Runs an async function beside the connection."""
        return self._portal.call(do, *args)

    async def _call(self, name: str, arguments: dict[str, Any]) -> types.CallToolResult:
        from mcp import types  # noqa: PLC0415

        result = await self.client.call_tool(name, arguments, read_timeout_seconds=CALL_S)
        assert isinstance(result, types.CallToolResult)
        return result


def text_of(result: types.CallToolResult) -> str:
    """All text that an agent reads."""
    return "\n".join(part.text for part in result.content if part.type == "text")


@contextlib.contextmanager
def http_server(machine: Machine, port: int, *options: str) -> Iterator[int]:
    """A server for all agents of a machine, started by hand; its process id."""
    process = machine.begin("mcp", "--http", "--port", str(port), *options)
    assert process.stderr is not None
    try:
        line = process.stderr.readline().decode()
        assert door_url(port) in line, line + process.stderr.read().decode()
        yield process.pid
    finally:
        process.terminate()
        process.communicate(timeout=30)


@contextlib.asynccontextmanager
async def _connected(
    transport: Any, mode: str, name: str, roots: list[str] | None
) -> AsyncIterator[tuple[Client, list[Any]]]:
    from mcp import Client, types  # noqa: PLC0415
    from pydantic import FileUrl  # noqa: PLC0415

    heard: list[Any] = []

    async def hear(message: Any) -> None:
        heard.append(message)

    async def list_roots(context: ClientRequestContext) -> types.ListRootsResult:
        return types.ListRootsResult(roots=[types.Root(uri=FileUrl(uri)) for uri in roots or ()])

    client = Client(
        transport,
        mode=mode,
        client_info=types.Implementation(name=name, version="1.2"),
        message_handler=hear,
        list_roots_callback=None if roots is None else list_roots,
    )
    async with client:
        yield client, heard


@contextlib.asynccontextmanager
async def _over_http(
    url: str, headers: dict[str, str], name: str, roots: list[str] | None
) -> AsyncIterator[tuple[Client, list[Any]]]:
    import httpx2  # noqa: PLC0415
    from mcp.client.streamable_http import streamable_http_client  # noqa: PLC0415

    async with (
        httpx2.AsyncClient(headers=headers, timeout=httpx2.Timeout(30, read=300)) as http,
        _connected(streamable_http_client(url, http_client=http), "auto", name, roots) as found,
    ):
        yield found
