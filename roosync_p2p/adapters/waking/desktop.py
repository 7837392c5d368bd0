"""A notification on the desktop: how many messages wait, for which workspace, from which machines; no word of theirs.

All that differs between systems is here: Linux has a service on the session's D-Bus (Desktop Notifications
Specification 1.2), Windows PowerShell's view of its toasts, macOS AppleScript.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Final, NamedTuple

import anyio

from roosync_p2p import limits
from roosync_p2p.adapters.waking.port import wake_fault
from roosync_p2p.mailbox.wakes import Woken

__all__ = ["Command", "DesktopWaker", "Words", "command_of", "words_of"]

_TEXTS: Final[Mapping[str, Mapping[str, str]]] = {
    "en": {
        "title": "RooSync: {workspace}",
        "one": "a message waits, from {senders}",
        "many": "{count} messages wait, from {senders}",
        "machine": "this machine",
    },
    "fr": {
        "title": "RooSync : {workspace}",
        "one": "un message attend, de {senders}",
        "many": "{count} messages attendent, de {senders}",
        "machine": "cette machine",
    },
}
_TOAST: Final = (
    "$ErrorActionPreference = 'Stop';"
    "$null = [Windows.UI.Notifications.ToastNotificationManager, Windows.UI.Notifications, "
    "ContentType = WindowsRuntime];"
    "$toast = [Windows.UI.Notifications.ToastNotificationManager]::GetTemplateContent("
    "[Windows.UI.Notifications.ToastTemplateType]::ToastText02);"
    "$lines = $toast.GetElementsByTagName('text');"
    "$null = $lines.Item(0).AppendChild($toast.CreateTextNode($env:ROOSYNC_TITLE));"
    "$null = $lines.Item(1).AppendChild($toast.CreateTextNode($env:ROOSYNC_TEXT));"
    "[Windows.UI.Notifications.ToastNotificationManager]::CreateToastNotifier("
    "'{1AC14E77-02E7-4E5D-B744-2EB1AE5198B7}\\WindowsPowerShell\\v1.0\\powershell.exe'"
    ").Show([Windows.UI.Notifications.ToastNotification]::new($toast))"
)
_SCRIPT: Final = (
    "on run argv",
    "display notification (item 2 of argv) with title (item 1 of argv)",
    "end run",
)
_BUS: Final = "org.freedesktop.Notifications"


class Words(NamedTuple):
    """What is shown."""

    title: str
    text: str


class Command(NamedTuple):
    """A program of the system that shows it, with what its environment has besides."""

    argv: tuple[str, ...]
    environ: Mapping[str, str]


class DesktopWaker:
    """Shows a notification in the user's language."""

    def __init__(self, language: str, *, platform: str = sys.platform) -> None:
        self._language = language
        self._platform = platform

    async def wake(self, woken: Woken) -> None:
        """See :class:`~roosync_p2p.adapters.waking.port.Waker`."""
        words = words_of(woken, self._language)
        command = command_of(self._platform, words)
        try:
            with anyio.fail_after(limits.WAKE_NOTIFY_S):
                await (_on_bus(words) if command is None else _run(command))
        except (TimeoutError, OSError) as error:
            raise wake_fault(f"no notification could be shown: {str(error) or type(error).__name__}") from error


def words_of(woken: Woken, language: str) -> Words:
    """The notification's lines, of ids' count and names alone."""
    texts = _TEXTS[language]
    text = texts["one" if len(woken.messages) == 1 else "many"]
    return Words(
        texts["title"].format(workspace=woken.workspace or texts["machine"]),
        text.format(count=len(woken.messages), senders=", ".join(woken.senders)),
    )


def command_of(platform: str, words: Words) -> Command | None:
    """The program that shows it on Windows and macOS; None where a service on D-Bus does.

    The words are an argument or in the environment, never part of a script.
    """
    if platform == "win32":
        shell = ("powershell.exe", "-NoProfile", "-NonInteractive", "-Command", _TOAST)
        return Command(shell, {"ROOSYNC_TITLE": words.title, "ROOSYNC_TEXT": words.text})
    if platform == "darwin":
        script = [part for line in _SCRIPT for part in ("-e", line)]
        return Command(("osascript", *script, "--", words.title, words.text), {})
    return None


async def _run(command: Command) -> None:
    done = await anyio.run_process(
        list(command.argv),
        stdin=subprocess.DEVNULL,
        env={**os.environ, **command.environ},
        check=False,
    )
    if done.returncode != 0:
        raise wake_fault(
            f"{command.argv[0]} ended with {done.returncode}: {done.stderr.decode(errors='replace')[-200:]}"
        )


async def _on_bus(words: Words) -> None:
    """Lazily imported: jeepney is there on Linux alone."""
    import jeepney  # noqa: PLC0415

    from roosync_p2p.adapters.power.dbus import Bus  # noqa: PLC0415

    address = jeepney.DBusAddress("/org/freedesktop/Notifications", bus_name=_BUS, interface=_BUS)
    body: tuple[object, ...] = ("RooSync", 0, "", words.title, _escaped(words.text), [], {}, -1)
    try:
        async with Bus("SESSION") as bus:
            await bus.call(jeepney.new_method_call(address, "Notify", "susssasa{sv}i", body))
    except (*Bus.faults, KeyError) as error:  # KeyError: no session bus is named in the environment
        raise wake_fault(
            f"no notification could be shown: {str(error) or type(error).__name__}",
            "a desktop session is needed; on a machine without one use run, webhook or signal_file",
        ) from error


def _escaped(text: str) -> str:
    """A notification's text may be read as markup."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
