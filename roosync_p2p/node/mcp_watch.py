"""The MCP server that all agents of a computer share: the node starts it, watches it, and ends it with itself.

It is a process of its own, because the protocol's SDK is large and an extra. Its standard input is a pipe whose other
end only this process holds: however the node ends, also by SIGKILL, the pipe is closed and the server ends. That holds
on every system, so nothing here depends on one but the flag that keeps Windows from opening a console.
"""

from __future__ import annotations

import contextlib
import logging
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import anyio
import anyio.abc
import anyio.to_thread

from roosync_p2p import limits
from roosync_p2p.adapters.home import Home

__all__ = ["McpWatch", "server_command"]

_LOG: Final = logging.getLogger(__name__)
_NO_WINDOW: Final = 0x0800_0000  # CREATE_NO_WINDOW of CreateProcess
_LAST_BYTES: Final = 2_000


def server_command(home: Path) -> list[str]:
    """The command line of the server."""
    return [sys.executable, "-P", "-m", "roosync_p2p", "--home", str(home), "mcp", "--http", "--with-parent"]


class McpWatch:
    """Keeps one server running.

    Args:
        warn: shows a warning in the status, or with an empty text none.
        command: what is run.
    """

    def __init__(self, home: Home, *, warn: Callable[[str], None], command: Sequence[str] | None = None) -> None:
        self._command = list(command if command is not None else server_command(home.path))
        self._output = home.logs / "mcp.log"
        self._warn = warn

    async def run(self) -> None:
        """Until it is cancelled; then the server is ended."""
        pause_s, failures = limits.MCP_RESTART_FIRST_S, 0
        while True:
            began_s = time.monotonic()
            code = await self._one_life()
            if time.monotonic() - began_s >= limits.MCP_STEADY_S:
                pause_s, failures = limits.MCP_RESTART_FIRST_S, 0
            failures += 1
            _LOG.warning("the MCP server ended (%s); it is started again in %g s", code, pause_s)
            if failures >= limits.MCP_FAILURES_SHOWN:
                said = await anyio.to_thread.run_sync(self._last_words)
                self._warn(f"the MCP server for agents has ended {failures} times in a row: {said}")
            await anyio.sleep(pause_s)
            pause_s = min(2 * pause_s, limits.MCP_RESTART_MAX_S)

    async def _one_life(self) -> str:
        """How a server ended, or could not be started."""
        try:
            # Shielded: one that was started and never got a name here would be ended by nobody.
            with self._output.open("wb") as output, anyio.CancelScope(shield=True):  # of the last life alone
                process = await anyio.open_process(
                    self._command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=output, **_quietly()
                )
        except OSError as error:
            return str(error)
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._steady)
                code = await process.wait()
                tasks.cancel_scope.cancel()
            return f"exit code {code}"
        finally:
            with anyio.CancelScope(shield=True):
                await _end(process)

    async def _steady(self) -> None:
        """A server that has lived for a while is no reason to warn any more."""
        await anyio.sleep(limits.MCP_STEADY_S)
        self._warn("")

    def _last_words(self) -> str:
        """The end of what it printed, in a line."""
        try:
            text = self._output.read_bytes()[-_LAST_BYTES:].decode("utf-8", "replace")
        except OSError:
            return ""
        return " ".join(text.split())[-500:] or "it said nothing"


async def _end(process: anyio.abc.Process) -> None:
    """Its input ends, which it takes as its own end; then it is killed."""
    if process.stdin is not None:
        with contextlib.suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
            await process.stdin.aclose()
    if process.returncode is None:
        with anyio.move_on_after(limits.MCP_END_S):
            await process.wait()
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    await process.aclose()


def _quietly() -> dict[str, Any]:
    return {"creationflags": _NO_WINDOW} if sys.platform == "win32" else {}
