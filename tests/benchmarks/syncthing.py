"""Syncthing beside us: instances on 127.0.0.1, addresses given; no discovery, relays, NAT traversal or reports."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Self

from tests.benchmarks.recorded import RecordedProgram
from tests.helpers.fleet import free_port

__all__ = ["WATCHER_DELAY_S", "Instance", "SyncthingFleet", "syncthing_missing", "syncthing_version"]

CONNECTED_S: Final = 60.0
FOLDER: Final = "bench"
WATCHER_DELAY_S: Final = 10  # what the program itself writes for a new folder

Wrap = Callable[[Sequence[str]], list[str]]

_OPTIONS: Final = {
    "globalAnnounceEnabled": "false",
    "localAnnounceEnabled": "false",
    "relaysEnabled": "false",
    "natEnabled": "false",
    "urAccepted": "-1",
    "crashReportingEnabled": "false",
    "startBrowser": "false",
    "autoUpgradeIntervalH": "0",
    "reconnectionIntervalS": "5",
    "setLowPriority": "false",
}


def syncthing_missing() -> str:
    """Why Syncthing cannot be measured here, or an empty string."""
    return "" if shutil.which("syncthing") else "syncthing is not installed (Debian: apt install syncthing)"


def syncthing_version() -> str:
    """As the program says it."""
    done = subprocess.run(["syncthing", "--version"], capture_output=True, text=True, check=True)
    return done.stdout.split()[1]


class Instance:
    """One instance with its home and its copy of the folder."""

    def __init__(self, number: int, path: Path, wrap: Wrap) -> None:
        self.home = path / f"home{number}"
        self.folder = path / f"folder{number}"
        self.address = f"tcp://127.0.0.1:{free_port()}"
        self._gui = f"127.0.0.1:{free_port()}"
        self._wrap = wrap
        self.program: RecordedProgram | None = None
        (self.folder / ".stfolder").mkdir(parents=True)
        self.home.mkdir()
        self._tool("generate", f"--home={self.home}", "--no-default-folder", "--skip-port-probing")
        self.device = self._tool("--device-id", f"--home={self.home}").strip()

    @property
    def short(self) -> str:
        """The part of the device id that the log names it by."""
        return self.device.split("-", 1)[0]

    @property
    def running(self) -> RecordedProgram:
        """Its process; the caller started it."""
        assert self.program is not None
        return self.program

    def configure(self, instances: Sequence[Instance], watcher_delay_s: int) -> None:
        """Knows all instances by their static addresses and shares one folder with them."""
        file = self.home / "config.xml"
        tree = ET.parse(file)
        root = tree.getroot()
        for device in root.findall("device"):
            root.remove(device)
        folder = ET.SubElement(root, "folder", id=FOLDER, path=str(self.folder), type="sendreceive")
        folder.set("fsWatcherEnabled", "true")
        folder.set("fsWatcherDelayS", str(watcher_delay_s))
        for instance in instances:
            ET.SubElement(ET.SubElement(root, "device", id=instance.device), "address").text = instance.address
            ET.SubElement(folder, "device", id=instance.device)
        options = _child(root, "options")
        for name, value in {**_OPTIONS, "listenAddress": self.address}.items():
            _child(options, name).text = value
        _child(_child(root, "gui"), "address").text = self._gui
        tree.write(file)

    def start(self) -> None:
        """Starts it, without the process that would watch over it: the one that is killed is the one that works."""
        argv = ["syncthing", "serve", f"--home={self.home}", "--no-browser", "--no-restart", "--no-upgrade"]
        self.program = RecordedProgram(self._wrap(argv), self.home, {"STMONITORED": "yes"})

    def _tool(self, *args: str) -> str:
        return subprocess.run(["syncthing", *args], capture_output=True, text=True, check=True, timeout=60).stdout


class SyncthingFleet:
    """``count`` connected instances that share a folder; all are killed when the context is left.

    Args:
        watcher_delay_s: for how long changes of files are gathered.
    """

    def __init__(self, count: int, *, watcher_delay_s: int = WATCHER_DELAY_S, wrap: Wrap = list) -> None:
        self._path = Path(tempfile.mkdtemp(prefix="rbsync"))
        self.instances: list[Instance] = []
        with contextlib.ExitStack() as on_error:
            on_error.callback(shutil.rmtree, self._path, ignore_errors=True)
            self.instances += [Instance(number, self._path, wrap) for number in range(count)]
            for instance in self.instances:
                instance.configure(self.instances, watcher_delay_s)
            on_error.pop_all()

    def __enter__(self) -> Self:
        try:
            for instance in self.instances:
                instance.start()
            for instance in self.instances:
                for other in self.instances:
                    if other is not instance:
                        instance.running.wait("Established secure connection", other.short, within_s=CONNECTED_S)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for instance in self.instances:
            if instance.program is not None:
                instance.program.kill()
        shutil.rmtree(self._path, ignore_errors=True)

    def restart(self, instance: Instance) -> None:
        """Starts a killed instance again and waits until the others are connected to it."""
        since_s = time.monotonic()
        instance.start()
        for other in self.instances:
            if other is not instance:
                other.running.wait(
                    "Established secure connection", instance.short, within_s=CONNECTED_S, since_s=since_s
                )


def _child(parent: ET.Element, name: str) -> ET.Element:
    """The child element of that name, the only one: made if there is none."""
    found = parent.findall(name)
    for further in found[1:]:
        parent.remove(further)
    return found[0] if found else ET.SubElement(parent, name)
