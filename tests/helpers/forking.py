"""Programs of this project that are forked from a process which has imported them already.

Half of what a short-lived node or command costs is importing; the tests start hundreds. :class:`ForkedPopen` is a
``subprocess.Popen`` whose child is a fork of one such process, with the command line, environment, directory, standard
streams and signals that a new interpreter would have had. It is a child of the test's own process, and can be
waited for, stopped and killed like any.

What an interpreter reads of its environment before it runs anything (``PYTHON…``, ``LD_…``) cannot be changed in a
fork: :func:`popen` starts a new one where that differs, and where there is no ``fork`` and no ``prctl`` of Linux. How a
program starts is tested with new interpreters; so is everything in other network namespaces.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import functools
import gc
import importlib
import inspect
import io
import json
import os
import pkgutil
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Final

__all__ = ["ForkedPopen", "never_fork", "popen"]

_SET_CHILD_SUBREAPER: Final = 36  # of linux/prctl.h
_REQUEST_BYTES_MAX: Final = 1 << 18
_READ_EARLY: Final = ("PYTHON", "LD_")  # variables with these names count when an interpreter starts
_NOT_IMPORTED: Final = ("roosync_p2p.simulation", "roosync_p2p.mcp_server")  # large, and no part of a node
_IMPORTED_LATE: Final = (  # by name, when a node runs
    "anyio._backends._asyncio",
    "encodings.idna",
    "rich.table",
    "uvicorn.lifespan.off",
    "uvicorn.loops.asyncio",
    "uvicorn.protocols.http.h11_impl",
    "zeroconf.asyncio",
)


_FORKS = True


def never_fork() -> None:
    """From now on every program gets a new interpreter: what it costs, and how long it takes to start, is measured."""
    global _FORKS  # noqa: PLW0603 - one switch for a process that measures
    _FORKS = False


def popen(
    argv: Sequence[str],
    *,
    stdin: int,
    stdout: int | IO[bytes],
    stderr: int | IO[bytes],
    env: Mapping[str, str],
    cwd: Path,
) -> subprocess.Popen[bytes]:
    """Starts ``python -m roosync_p2p…``, forked where that makes no difference."""
    is_ours = argv[0] == sys.executable and argv[1] == "-m" and argv[2].startswith("roosync_p2p.")
    forked = _FORKS and is_ours and sys.platform == "linux" and _early(env) == _early(os.environ)
    kind = ForkedPopen if forked else subprocess.Popen
    return kind(argv, stdin=stdin, stdout=stdout, stderr=stderr, env=env, cwd=cwd)


class ForkedPopen(subprocess.Popen[bytes]):
    """The same for ``python -m MODULE ARGUMENTS…`` with all three standard streams, an environment and a directory."""

    def _execute_child(self, *args: Any) -> None:
        said = _SIGNATURE.bind(self, *args).arguments
        streams = [said["p2cread"], said["c2pwrite"], said["errwrite"]]
        _, _, module, *arguments = said["args"]
        asked = {
            "module": module,
            "arguments": arguments,
            "env": dict(said["env"]),
            "cwd": str(said["cwd"]),
            "nohup": signal.getsignal(signal.SIGHUP) == signal.SIG_IGN,
        }
        try:
            self.pid = _nursery().fork(asked, streams)
            self._child_created = True
        finally:
            names = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")
            self._close_pipe_fds(*(said[name] for name in names))  # type: ignore[attr-defined]  # private, as the method is


_SIGNATURE: Final = inspect.signature(subprocess.Popen._execute_child)  # type: ignore[attr-defined]


def _early(env: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in env.items() if name.startswith(_READ_EARLY)}


# --- the test's side ------------------------------------------------------------------------------------------------


class _Nursery:
    """The process that forks. It ends with the test's process, whose end of the socket is closed then."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for end in (self._socket, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _REQUEST_BYTES_MAX)
        with theirs:
            command = [sys.executable, "-m", "tests.helpers.forking", str(theirs.fileno())]
            root = Path(__file__).parents[2]
            self._process = subprocess.Popen(command, pass_fds=[theirs.fileno()], cwd=root, stdin=subprocess.DEVNULL)

    def fork(self, asked: Mapping[str, Any], streams: Sequence[int]) -> int:
        """A new child of this process; its id."""
        with self._lock, _adopting():
            socket.send_fds(self._socket, [json.dumps(asked).encode()], streams)
            answer = self._socket.recv(64)
        assert answer, "the process that forks the programs of the tests has ended"
        return int(answer)


@functools.cache
def _nursery() -> _Nursery:
    return _Nursery()


@contextlib.contextmanager
def _adopting() -> Iterator[None]:
    """Whoever loses its parent below this process becomes its child: only meanwhile, or it would collect orphans."""
    _set_subreaper(1)
    try:
        yield
    finally:
        _set_subreaper(0)


def _set_subreaper(on: int) -> None:
    done = ctypes.CDLL(None, use_errno=True).prctl(_SET_CHILD_SUBREAPER, on, 0, 0, 0)
    assert done == 0, os.strerror(ctypes.get_errno())


# --- the side that forks --------------------------------------------------------------------------------------------


def _serve(number: int) -> None:
    """Forks a program for every request, until the test's process is gone."""
    faulthandler.enable()  # in every fork as well: a crash is told on its standard error
    _import_all()
    gc.freeze()  # a child that collects garbage copies no page for what it inherited
    with socket.socket(fileno=number) as ours:
        while True:
            data, streams, _, _ = socket.recv_fds(ours, _REQUEST_BYTES_MAX, 3)
            if not data:
                return
            born = _fork()
            if born == 0:
                ours.close()
                _become(json.loads(data), streams)
                return
            for stream in streams:
                os.close(stream)
            ours.send(str(born).encode())


def _fork() -> int:
    """0 in a process whose parent has ended; else its id."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        grandchild = os.fork()
        if grandchild == 0:
            os.close(read)
            os.close(write)
            return 0
        os.write(write, str(grandchild).encode())
        os._exit(0)
    os.close(write)
    os.waitpid(child, 0)
    with open(read, "rb") as told:  # noqa: PTH123 - a descriptor, not a path
        return int(told.read())


def _become(asked: Mapping[str, Any], streams: Sequence[int]) -> None:
    """This process is what the request names from now on; its end is the interpreter's own."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["env"])
    time.tzset()
    tempfile.tempdir = None
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_IGN if asked["nohup"] else signal.SIG_DFL)
    sys.stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(0, closefd=False)), sys.stdin.encoding)
    sys.stdout = io.TextIOWrapper(io.BufferedWriter(io.FileIO(1, "w", closefd=False)), sys.stdout.encoding)
    sys.stderr = io.TextIOWrapper(
        io.BufferedWriter(io.FileIO(2, "w", closefd=False)),
        sys.stderr.encoding,
        errors="backslashreplace",
        line_buffering=True,
    )
    sys.path[0] = asked["cwd"]
    sys.argv = [asked["module"], *asked["arguments"]]
    sys.modules.pop(asked["module"], None)
    runpy.run_module(asked["module"], run_name="__main__", alter_sys=True)


def _import_all() -> None:
    import roosync_p2p  # noqa: PLC0415 - on this side alone

    for found in pkgutil.walk_packages(roosync_p2p.__path__, "roosync_p2p."):
        if not found.name.startswith(_NOT_IMPORTED) and not found.name.endswith("__main__"):
            with contextlib.suppress(ImportError):  # what belongs to another system
                importlib.import_module(found.name)
    for name in _IMPORTED_LATE:
        importlib.import_module(name)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it ends with its test's process, not with Ctrl-C
    _serve(int(sys.argv[1]))
