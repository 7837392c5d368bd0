"""Real drives that go wrong, as root on Linux: one that is full, read-only, taken away, or does not answer.

    with Full(tmp_path / "drive") as drive:
        ... drive.root is used as the shared folder
        drive.fill()
        ...
        drive.drain()

Each fault is asserted to be active where it is made. Leaving ends it and takes the mount away.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

__all__ = ["Drive", "freezable", "freezable_missing", "mounts_missing", "passthrough", "passthrough_missing", "small"]

_TIMEOUT_S: Final = 20.0
_KIB: Final = 1024


def mounts_missing() -> str:
    """Why nothing can be mounted here, or an empty string."""
    if not sys.platform.startswith("linux"):
        return "mounts are made on Linux only"
    return "" if os.geteuid() == 0 else "mounting needs root"


def passthrough_missing() -> str:
    """Why no directory can be mounted by a program of ours, or an empty string."""
    if why := mounts_missing():
        return why
    if shutil.which("bindfs") is None:
        return "the command bindfs is not installed"
    return "" if Path("/dev/fuse").exists() else "this system has no FUSE"


def freezable_missing() -> str:
    """Why no file system can be frozen, or an empty string."""
    if why := mounts_missing():
        return why
    absent = [tool for tool in ("mkfs.ext4", "fsfreeze") if shutil.which(tool) is None]
    if absent:
        return f"not installed: {', '.join(absent)}"
    return "" if Path("/dev/loop-control").exists() else "this system has no loop devices"


class Drive:
    """A mounted directory.

    Attributes:
        root: where it is mounted.
    """

    def __init__(self, root: Path, break_it: Callable[[], None], mend_it: Callable[[], None]) -> None:
        self.root = root
        self._break = break_it
        self._mend = mend_it

    def stop(self) -> None:
        """Makes it block, or be full."""
        self._break()

    def go_on(self) -> None:
        """Ends that."""
        self._mend()

    def read_only(self) -> None:
        """It can be read and not written any more."""
        _command("mount", "-o", "remount,ro", str(self.root))
        assert os.statvfs(self.root).f_flag & os.ST_RDONLY, "it is not read-only"

    def writable(self) -> None:
        """It can be written again."""
        _command("mount", "-o", "remount,rw", str(self.root))

    def take_away(self) -> None:
        """Nothing but the empty directory below is left."""
        _command("umount", "--lazy", str(self.root))
        assert not os.path.ismount(self.root), "it is still mounted"


@contextlib.contextmanager
def small(root: Path, *, kib: int = 1_024) -> Iterator[Drive]:
    """A drive in memory of so many KiB, which ``stop`` fills to the last block."""
    root.mkdir(parents=True, exist_ok=True)
    _command("mount", "-t", "tmpfs", "-o", f"size={kib}k", "tmpfs", str(root))
    filler = root / "filler.bin"

    def fill() -> None:
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(4 * _KIB))
        assert os.statvfs(root).f_bavail == 0, "the drive is not full"

    with _mounted(root):
        yield Drive(root, fill, filler.unlink)


@contextlib.contextmanager
def passthrough(source: Path, root: Path) -> Iterator[Drive]:
    """A drive that shows another directory; ``stop`` suspends the program that serves it, as one that hangs does."""
    root.mkdir(parents=True, exist_ok=True)
    server = subprocess.Popen(["bindfs", "-f", str(source), str(root)])
    try:
        _wait(lambda: os.path.ismount(root), "the program serves the drive")
        with _mounted(root):
            try:
                yield Drive(
                    root,
                    lambda: server.send_signal(signal.SIGSTOP),
                    lambda: server.send_signal(signal.SIGCONT),
                )
            finally:
                server.send_signal(signal.SIGCONT)
    finally:
        server.kill()
        server.wait(_TIMEOUT_S)


@contextlib.contextmanager
def freezable(image: Path, root: Path, *, mib: int = 16) -> Iterator[Drive]:
    """A drive of its own whose writes ``stop`` blocks in the kernel, where no signal ends them; reads go on."""
    root.mkdir(parents=True, exist_ok=True)
    with image.open("wb") as file:
        file.truncate(mib * _KIB * _KIB)
    _command("mkfs.ext4", "-q", str(image))
    _command("mount", "-o", "loop", str(image), str(root))
    with _mounted(root):
        try:
            yield Drive(root, lambda: _command("fsfreeze", "--freeze", str(root)), lambda: _thaw(root))
        finally:
            _thaw(root)


@contextlib.contextmanager
def _mounted(root: Path) -> Iterator[None]:
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(root)], capture_output=True, check=False, timeout=_TIMEOUT_S)


def _thaw(root: Path) -> None:
    subprocess.run(["fsfreeze", "--unfreeze", str(root)], capture_output=True, check=False, timeout=_TIMEOUT_S)


def _wait(done: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _TIMEOUT_S
    while not done():
        assert time.monotonic() < deadline, f"not in time: {what}"
        time.sleep(0.02)


def _command(*argv: str) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S)
    assert done.returncode == 0, f"{' '.join(argv)}: {done.stderr.strip()}"
