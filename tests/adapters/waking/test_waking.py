"""The four ways to wake: each does it, says what went wrong, and carries ids and names alone."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import anyio.abc
import anyio.to_thread
import pytest

from roosync_p2p.adapters.waking import waker_of
from roosync_p2p.adapters.waking.command import CommandWaker, detached, environment
from roosync_p2p.adapters.waking.desktop import DesktopWaker, command_of, words_of
from roosync_p2p.adapters.waking.signal_file import SignalFileWaker
from roosync_p2p.adapters.waking.webhook import WebhookWaker
from roosync_p2p.core.wake_settings import Webhook, parse_wakes
from roosync_p2p.errors import EnvironmentFault
from roosync_p2p.mailbox.wakes import Woken
from tests.helpers.fake_logind import dbus_missing, private_bus
from tests.helpers.fake_notifications import FakeNotifications

pytestmark = pytest.mark.anyio

WOKEN = Woken("claude", "écurie", ("msg-1", "msg-2"), ("machine-a", "machine-b"), 2)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def _failed(waker: object, woken: Woken = WOKEN) -> str:
    with pytest.raises(EnvironmentFault) as caught:
        await waker.wake(woken)  # type: ignore[attr-defined]  # a waker of any kind
    assert caught.value.code == "wake_failed"
    return caught.value.message


# --- a command ----------------------------------------------------------------------------------------------------


def _command(tmp_path: Path, script: str, *more: str) -> CommandWaker:
    argv = (sys.executable, "-c", script, *more)
    return CommandWaker(argv, str(tmp_path), home=tmp_path / "home", log=tmp_path / "wake.log")


async def test_a_command_runs_to_its_end_with_ids_in_its_environment_and_arguments_as_they_are(tmp_path: Path) -> None:
    script = (
        "import json, os, sys; "
        "kept = {k: v for k, v in os.environ.items() if k.startswith('ROOSYNC_')}; "
        "open('seen', 'w').write(json.dumps([sys.argv[1:], kept])); print('à voir')"
    )
    await _command(tmp_path, script, "$HOME; rm x", "a b").wake(WOKEN)
    arguments, environ = json.loads((tmp_path / "seen").read_text())
    assert arguments == ["$HOME; rm x", "a b"]
    assert environ["ROOSYNC_MESSAGE_IDS"] == "msg-1 msg-2"
    assert (environ["ROOSYNC_WORKSPACE"], environ["ROOSYNC_WORKSPACE_ID"]) == ("écurie", "écurie")
    assert environ["ROOSYNC_HOME"] == str(tmp_path / "home")
    assert "voir" in (tmp_path / "wake.log").read_text(errors="replace")


async def test_a_command_that_is_none_or_ends_badly_says_so(tmp_path: Path) -> None:
    assert "ended with 3" in await _failed(_command(tmp_path, "raise SystemExit(3)"))
    none = CommandWaker((str(tmp_path / "none"),), "", home=tmp_path, log=tmp_path / "wake.log")
    assert "cannot be started" in await _failed(none)


async def test_a_command_outlives_the_node_that_started_it(tmp_path: Path) -> None:
    script = "import time; time.sleep(0.5); open('done', 'w').close()"
    waker = _command(tmp_path, script)
    with anyio.move_on_after(0.1) as gone:
        await waker.wake(WOKEN)
    assert gone.cancelled_caught
    with anyio.fail_after(20):
        while not (tmp_path / "done").exists():  # noqa: ASYNC110 - another process makes it
            await anyio.sleep(0.02)
    assert [await anyio.to_thread.run_sync(process.wait) for process in waker.running] == [0]


def test_a_command_speaks_for_itself_and_not_in_a_session_of_the_node() -> None:
    made = environment({"ROOSYNC_SESSION": "secret", "PATH": "/bin"}, WOKEN, Path("/home/a"))
    assert "ROOSYNC_SESSION" not in made
    assert made["PATH"] == "/bin"
    assert made["ROOSYNC_WAKE_ATTEMPT"] == "2"


def test_a_command_gets_no_console_window_on_windows() -> None:
    assert detached("win32") == {"creationflags": 0x08000200}
    assert detached("linux") == detached("darwin") == {"start_new_session": True}


# --- a webhook ----------------------------------------------------------------------------------------------------


class _Server:
    """Answers each request with the same bytes, and keeps what it was asked."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.asked = b""
        self.port = 0

    async def run(self, *, task_status: anyio.abc.TaskStatus[None]) -> None:
        listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
        self.port = listener.extra(anyio.abc.SocketAttribute.local_port)
        task_status.started()
        async with listener:
            await listener.serve(self._serve)

    async def _serve(self, stream: anyio.abc.SocketStream) -> None:
        async with stream:
            while not self.asked.endswith(b"}"):
                self.asked += await stream.receive()
            await stream.send(self.answer)


@contextlib.asynccontextmanager
async def _asked(answer: bytes) -> AsyncIterator[_Server]:
    server = _Server(answer)
    async with anyio.create_task_group() as tasks:
        await tasks.start(server.run)
        yield server
        tasks.cancel_scope.cancel()


async def test_a_webhook_is_asked_once_with_ids_and_names() -> None:
    async with _asked(b"HTTP/1.1 204 No Content\r\n\r\n") as server:
        await WebhookWaker(Webhook("127.0.0.1", server.port, "/hook?a=1")).wake(WOKEN)
        head, _, body = server.asked.partition(b"\r\n\r\n")
        assert head.startswith(b"POST /hook?a=1 HTTP/1.1\r\n")
        assert json.loads(body) == {
            "wake": "claude",
            "workspace": "écurie",
            "messages": ["msg-1", "msg-2"],
            "senders": ["machine-a", "machine-b"],
            "attempt": 2,
        }


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"HTTP/1.1 500 Oh\r\n\r\n", "answered 500"),
        (b"HTTP/1.1 302 Found\r\nlocation: http://example.org/\r\n\r\n", "answered 302"),
        (b"no HTTP at all\r\n\r\n", "does not answer"),
        (b"", "does not answer"),
        (b"HTTP/1.1 200 OK\r\nx: " + b"a" * 100_000, "does not answer"),
    ],
)
async def test_a_webhook_that_refuses_or_answers_nonsense_says_so(answer: bytes, said: str) -> None:
    async with _asked(answer) as server:
        assert said in await _failed(WebhookWaker(Webhook("127.0.0.1", server.port, "/")))


async def test_nobody_who_listens_is_a_failure() -> None:
    async with _asked(b"") as server:
        port = server.port
    assert "does not answer" in await _failed(WebhookWaker(Webhook("127.0.0.1", port, "/")))


# --- a file -------------------------------------------------------------------------------------------------------


async def test_a_signal_file_gathers_ids_until_somebody_removes_it(tmp_path: Path) -> None:
    path = tmp_path / "signal"
    waker = SignalFileWaker(path)
    await waker.wake(WOKEN)
    await waker.wake(WOKEN._replace(messages=("msg-2", "msg-3")))
    assert path.read_text() == "msg-1\nmsg-2\nmsg-3\n"
    path.unlink()
    await waker.wake(WOKEN._replace(messages=("msg-4",)))
    assert path.read_text() == "msg-4\n"
    assert "cannot be written" in await _failed(SignalFileWaker(tmp_path / "none" / "signal"))


# --- a notification -----------------------------------------------------------------------------------------------


def test_a_notification_says_how_many_and_from_whom_in_the_users_language() -> None:
    assert words_of(WOKEN, "en") == ("RooSync: écurie", "2 messages wait, from machine-a, machine-b")
    one = WOKEN._replace(messages=("msg-1",), workspace="", senders=("machine-a",))
    assert words_of(one, "fr") == ("RooSync : cette machine", "un message attend, de machine-a")


def test_the_words_are_never_part_of_a_script() -> None:
    words = words_of(WOKEN._replace(workspace="$(calc)'; exit"), "en")
    windows = command_of("win32", words)
    assert windows is not None
    assert "calc" not in " ".join(windows.argv)
    assert windows.environ["ROOSYNC_TITLE"] == "RooSync: $(calc)'; exit"
    macos = command_of("darwin", words)
    assert macos is not None
    assert macos.argv[-3:] == ("--", words.title, words.text)
    assert "calc" not in " ".join(macos.argv[:-3])
    assert command_of("linux", words) is None


@pytest.mark.skipif(sys.platform != "linux" or bool(dbus_missing()), reason=dbus_missing() or "D-Bus is Linux's")
async def test_on_linux_the_sessions_notification_service_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with private_bus(tmp_path) as address:
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", address)
        assert "no notification could be shown" in await _failed(DesktopWaker("en"))  # nobody has that name there
        with FakeNotifications(address) as service:
            await DesktopWaker("en").wake(WOKEN._replace(workspace="<b>"))
            assert service.shown == [("RooSync", "RooSync: <b>", "2 messages wait, from machine-a, machine-b")]


async def test_without_a_session_bus_it_says_what_to_use_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    with pytest.raises(EnvironmentFault) as caught:
        await DesktopWaker("en", platform="linux").wake(WOKEN)
    assert "signal_file" in caught.value.remedy


# --- all ----------------------------------------------------------------------------------------------------------


def test_the_settings_choose_the_way(tmp_path: Path) -> None:
    ways = {
        CommandWaker: {"run": ["a"]},
        WebhookWaker: {"webhook": "http://127.0.0.1:81/"},
        SignalFileWaker: {"signal_file": "signal"},
        DesktopWaker: {"notify": True},
    }
    for kind, content in ways.items():
        (chosen,) = parse_wakes({"a": content})
        assert type(waker_of(chosen, home=tmp_path, logs=tmp_path, language="en")) is kind
    assert os.environ.get("ROOSYNC_MESSAGE_IDS") is None
