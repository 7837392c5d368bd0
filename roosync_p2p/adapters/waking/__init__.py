"""How somebody on this computer is told that messages wait: a command, a request, a file, a notification.

Nothing of a message's text leaves the node this way: only ids, names of machines and a workspace.
"""

from __future__ import annotations

from pathlib import Path

from roosync_p2p.adapters.waking.command import CommandWaker
from roosync_p2p.adapters.waking.desktop import DesktopWaker
from roosync_p2p.adapters.waking.port import Waker
from roosync_p2p.adapters.waking.signal_file import SignalFileWaker
from roosync_p2p.adapters.waking.webhook import WebhookWaker
from roosync_p2p.core.wake_settings import WakeSettings

__all__ = ["Waker", "waker_of"]


def waker_of(chosen: WakeSettings, *, home: Path, logs: Path, language: str) -> Waker:
    """The adapter that the settings ask for.

    Args:
        home: of the node, for the commands that are started.
        logs: where the output of a command goes.
    """
    if chosen.run:
        return CommandWaker(chosen.run, chosen.directory, home=home, log=logs / f"wake-{chosen.name}.log")
    if chosen.webhook is not None:
        return WebhookWaker(chosen.webhook)
    if chosen.signal_file:
        return SignalFileWaker(home / Path(chosen.signal_file).expanduser())
    return DesktopWaker(language)
