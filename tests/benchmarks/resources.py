"""What processes cost while nothing happens: memory, processor, wire, disk."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, Self

import psutil

__all__ = ["Cost", "Subject", "loopback_namespace", "measure"]

_LOOK_S: Final = 0.1  # changes of a file closer together than this count as one


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A process and the directory it keeps its data in."""

    pid: int
    folder: Path


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Means over subjects, but for the maxima.

    Attributes:
        rss_mb: resident memory, shared pages included, of the largest.
        uss_mb: memory that only this process has, of the largest.
        cpu_percent: of one core.
        sent_bytes_s: sent by each, headers of IP and TCP and acknowledgements included; None: not known here.
        writes_minute: moments at which a file of the largest writer changed.
        written_kb_minute: what the kernel says it will write to the disk for it; None: not known here.
        threads: of the first.
    """

    rss_mb: float
    uss_mb: float
    cpu_percent: float
    sent_bytes_s: float | None
    writes_minute: float
    written_kb_minute: float | None
    threads: int


@contextlib.contextmanager
def loopback_namespace(name: str) -> Iterator[str | None]:
    """A network namespace where only loopback exists, so that its counter holds nothing else; None without root."""
    wanted = f"rb{os.getpid()}{name}"
    if not sys.platform.startswith("linux") or os.geteuid() != 0 or shutil.which("ip") is None:
        yield None
        return
    made = subprocess.run(["ip", "netns", "add", wanted], capture_output=True, check=False)
    if made.returncode != 0:
        yield None
        return
    try:
        up = ["ip", "netns", "exec", wanted, "ip", "link", "set", "lo", "up"]
        subprocess.run(up, check=True, capture_output=True)
        yield wanted
    finally:
        subprocess.run(["ip", "netns", "del", wanted], capture_output=True, check=False)


def measure(subjects: Sequence[Subject], seconds: float, *, on_wire: bool) -> Cost:
    """Watches the subjects for so long.

    Args:
        on_wire: they are alone in a network namespace.
    """
    processes = [psutil.Process(subject.pid) for subject in subjects]
    with _FileWatch([subject.folder for subject in subjects]) as files:
        before_s = time.monotonic()
        cpu_before = [_cpu_s(process) for process in processes]
        disk_before = [_written(subject.pid) for subject in subjects]
        wire_before = _loopback_bytes(subjects[0].pid) if on_wire else None
        time.sleep(seconds)
        took_s = time.monotonic() - before_s
        cpu = [_cpu_s(process) - before for process, before in zip(processes, cpu_before, strict=True)]
        disk = [_written(subject.pid) for subject in subjects]
        wire = _loopback_bytes(subjects[0].pid) if on_wire else None
    memory = [process.memory_full_info() for process in processes]
    written = [
        after - before
        for after, before in zip(disk, disk_before, strict=True)
        if after is not None and before is not None
    ]
    sent = None if wire is None or wire_before is None else (wire - wire_before) / took_s / len(subjects)
    return Cost(
        rss_mb=max(one.rss for one in memory) / 1e6,
        uss_mb=max(one.uss for one in memory) / 1e6,
        cpu_percent=100 * sum(cpu) / took_s / len(subjects),
        sent_bytes_s=sent,
        writes_minute=max(files.changes) * 60 / took_s,
        written_kb_minute=max(written) / 1000 * 60 / took_s if written else None,
        threads=processes[0].num_threads(),
    )


class _FileWatch:
    """Counts the moments at which any file below a directory changed."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self.changes = [0] * len(folders)
        self.changed: set[str] = set()
        self._folders = folders
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _watch(self) -> None:
        before = [_stamps(folder) for folder in self._folders]
        while not self._end.wait(_LOOK_S):
            for number, folder in enumerate(self._folders):
                now = _stamps(folder)
                if now != before[number]:
                    self.changes[number] += 1
                    before[number] = now


def _stamps(folder: Path) -> dict[str, tuple[int, int]]:
    found = {}
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):
            stat = path.stat()
            if path.is_file():
                found[str(path)] = (stat.st_mtime_ns, stat.st_size)
    return found


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _written(pid: int) -> int | None:
    """Bytes that the process caused to be written to storage."""
    fields = _proc_fields(Path(f"/proc/{pid}/io"))
    return int(fields["write_bytes"]) if "write_bytes" in fields else None


def _loopback_bytes(pid: int) -> int | None:
    """Sent over the loopback of the process's namespace; what is sent there is received there."""
    fields = _proc_fields(Path(f"/proc/{pid}/net/dev"))
    return int(fields["lo"].split()[8]) if "lo" in fields else None


def _proc_fields(path: Path) -> dict[str, str]:
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return {}
    return {name.strip(): value.strip() for name, colon, value in (line.partition(":") for line in lines) if colon}
