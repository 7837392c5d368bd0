"""Files that only their owner can read: made so from the first byte, and checked before they are used.

POSIX has mode bits. On Windows a directory is given an access list of its own before anything is written into it, and
what is created inside inherits it; the work is done by ``icacls``, and its answer is read as SDDL, because names of
accounts are translated ("AUTORITE NT\\Système") and SIDs are not. Everything but running that program is pure, and is
tested as text on every platform. Administrators and the system can read every file anyway and are not strangers.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol

from roosync_p2p.errors import EnvironmentFault

__all__ = [
    "Permissions",
    "PosixPermissions",
    "WindowsPermissions",
    "create_private_directory",
    "explained",
    "parse_saved_acl",
    "parse_whoami",
    "replace",
    "restrict_command",
    "strangers_in",
    "this_platform",
    "write_private",
]

Run = Callable[[Sequence[str]], bytes]

_ON_WINDOWS: Final = os.name == "nt"
_SYSTEM_SID: Final = "S-1-5-18"
_TRUSTED: Final = frozenset({"SY", "BA", "OW", _SYSTEM_SID, "S-1-5-32-544", "S-1-3-4"})
_REPLACE_TRIES: Final = 6  # doubling from 20 ms: an antivirus lets go of a new file within a second
_REPLACE_WAIT_S: Final = 0.02
_COMMAND_TIMEOUT_S: Final = 30.0


class Permissions(Protocol):
    """What differs between platforms."""

    def protect_directory(self, path: Path) -> None:
        """Makes an empty directory of ours, and what will be created in it, owner-only."""

    def check(self, path: Path) -> None:
        """Returns if only the owner can read the file.

        Raises:
            EnvironmentFault: ``permissions_too_open`` or ``wrong_owner``, with the command that repairs it.
        """


class PosixPermissions:
    """Mode bits and the owner."""

    def protect_directory(self, path: Path) -> None:
        """Sets mode 0700, and makes sure that the file system kept it."""
        path.chmod(0o700)
        if path.stat().st_mode & 0o077:
            raise EnvironmentFault(
                f"the file system of {path} does not keep permissions, so a private key would be open to everybody",
                code="permissions_not_kept",
                remedy="choose a home on a local disk of this system: --home DIR",
                details={"path": str(path)},
            )

    def check(self, path: Path) -> None:
        """Refuses any bit for group or others, and another owner."""
        with explained(path, "read"):
            status = path.stat()
        if status.st_uid not in (os.geteuid(), 0):
            raise EnvironmentFault(
                f"{path} belongs to user {status.st_uid}, not to the one that runs this",
                code="wrong_owner",
                remedy=f"run as that user, or: chown {os.geteuid()} {_quoted(path)}",
                details={"path": str(path), "owner": status.st_uid},
            )
        excess = status.st_mode & 0o077
        if excess:
            raise EnvironmentFault(
                f"{path} is open to others than its owner: mode {status.st_mode & 0o777:04o}",
                code="permissions_too_open",
                remedy=f"chmod 600 {_quoted(path)}",
                details={"path": str(path), "mode": f"{status.st_mode & 0o777:04o}"},
            )


class WindowsPermissions:
    """Access lists through ``icacls``.

    Args:
        run: runs a command and returns its standard output; raises ``OSError`` if that fails.
    """

    def __init__(self, run: Run) -> None:
        self._run = run

    def protect_directory(self, path: Path) -> None:
        """Cuts inheritance from above and grants the user and the system alone, for everything inside."""
        with explained(path, "protect"):
            self._run(restrict_command(path, self._user_sid(), inherited=True))

    def check(self, path: Path) -> None:
        """Refuses an access list that allows anything to anybody but the user, the system and administrators."""
        saved = path.with_name(f".acl-{secrets.token_hex(8)}")
        with explained(path, "read the permissions of"):
            sid = self._user_sid()
            try:
                self._run([_system_program("icacls.exe"), str(path), "/save", str(saved)])
                sddl = parse_saved_acl(saved.read_bytes())
            finally:
                saved.unlink(missing_ok=True)
        strangers = strangers_in(sddl, sid)
        if strangers:
            raise EnvironmentFault(
                f"{path} is open to others than its owner: {', '.join(strangers)}",
                code="permissions_too_open",
                remedy=subprocess.list2cmdline(restrict_command(path, sid, inherited=False)),
                details={"path": str(path), "strangers": list(strangers)},
            )

    def _user_sid(self) -> str:
        return parse_whoami(self._run([_system_program("whoami.exe"), "/user", "/fo", "csv", "/nh"]))


def this_platform() -> Permissions:
    """The permissions of the system that this runs on."""
    return WindowsPermissions(_run_command) if _ON_WINDOWS else PosixPermissions()


def create_private_directory(path: Path, permissions: Permissions | None = None) -> None:
    """A new owner-only directory; its parent exists.

    Raises:
        EnvironmentFault: it exists, or cannot be made or protected; then it is not there.
    """
    with explained(path, "create"):
        path.mkdir(mode=0o700)
    done = False
    try:
        (permissions or this_platform()).protect_directory(path)
        done = True
    finally:
        if not done:
            path.rmdir()


def write_private(path: Path, data: bytes) -> None:
    """The file with this content, owner-only, complete and on disk; or, on an error, as it was before.

    The caller made the directory with :func:`create_private_directory`.

    Raises:
        EnvironmentFault: it cannot be written (``cannot_write``).
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    with explained(path, "write"):
        try:
            _write_new(temporary, data)
            replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
        _sync_directory(path.parent)


def replace(source: Path, target: Path, *, sleep: Callable[[float], None] = time.sleep) -> None:
    """Moves a file over another, or a directory to where nothing is, in one step that survives a power cut.

    On Windows an antivirus or an indexer may hold a new file open for a moment; that is waited for, within bounds.
    """
    for attempt in range(_REPLACE_TRIES):
        try:
            source.replace(target)
            break
        except PermissionError:
            if not _ON_WINDOWS or attempt == _REPLACE_TRIES - 1:
                raise
            sleep(_REPLACE_WAIT_S * 2**attempt)
    _sync_directory(target.parent)


@contextmanager
def explained(path: Path, doing: str) -> Iterator[None]:
    """Turns an ``OSError`` inside into an error that says what could not be done, to what, and why.

    Raises:
        EnvironmentFault: ``disk_full``, or ``cannot_`` and the first word of ``doing``.
    """
    try:
        yield
    except OSError as error:
        full = error.errno == errno.ENOSPC
        denied = error.errno in (errno.EACCES, errno.EPERM, errno.EROFS)
        raise EnvironmentFault(
            f"cannot {doing} {path}: {error.strerror or error}; nothing was changed",
            code="disk_full" if full else f"cannot_{doing.split(maxsplit=1)[0]}",
            remedy="free some space and try again"
            if full
            else "let the user who runs this do so, or name another place"
            if denied
            else "",
            details={"path": str(path)},
        ) from error


def restrict_command(path: Path, user_sid: str, *, inherited: bool) -> list[str]:
    """The ``icacls`` command that leaves full access to one user and the system alone.

    Args:
        inherited: of a directory: for everything that will be created inside as well.
    """
    scope = "(OI)(CI)" if inherited else ""
    grants = [f"*{sid}:{scope}F" for sid in (user_sid, _SYSTEM_SID)]
    return [_system_program("icacls.exe"), str(path), "/inheritance:r", "/grant:r", *grants]


def parse_whoami(output: bytes) -> str:
    """The SID in the answer of ``whoami /user /fo csv /nh``: ``"domain\\user","S-1-5-21-…"``.

    Raises:
        OSError: there is none in it.
    """
    match = re.search(rb'"(S-1-[0-9-]+)"\s*$', output)
    if match is None:
        raise OSError("whoami does not say who runs this")
    return match[1].decode()


def parse_saved_acl(data: bytes) -> str:
    """The SDDL in a file that ``icacls FILE /save`` wrote: UTF-16, the name in one line, the list in the next.

    Raises:
        OSError: it is not that.
    """
    text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-16-le", errors="replace")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) != 2 or "D:" not in lines[1]:
        raise OSError("icacls saved no access list")
    return lines[1]


def strangers_in(sddl: str, user_sid: str) -> tuple[str, ...]:
    """Whom an access list allows anything, other than the user, the system and administrators.

    Args:
        sddl: a security descriptor in Microsoft's definition language.
        user_sid: of the user whose file it is.

    Returns:
        SIDs or their two-letter forms (``WD`` is everyone); empty if there are none.
    """
    match = re.search(r"D:((?:[A-Z_]*))((?:\([^()]*\))*)", sddl)
    if match is None or "NO_ACCESS_CONTROL" in match[1]:
        return ("WD",)
    own = {user_sid, "LA"} if user_sid.endswith("-500") else {user_sid}
    found: dict[str, None] = {}
    for ace in re.findall(r"\(([^()]*)\)", match[2]):
        kind, flags, _rights, _object, _inherited, who = [*ace.split(";"), "", "", "", "", ""][:6]
        # An inherit-only ACE is for what a directory will contain, not for this file.
        if kind in ("A", "OA", "XA") and "IO" not in flags and who not in own | _TRUSTED:
            found[who or ace] = None
    return tuple(found)


def _write_new(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_directory(path: Path) -> None:
    """A rename is on disk when its directory is; Windows has no such call and needs none."""
    if _ON_WINDOWS:
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "'\\''") + "'"


def _system_program(name: str) -> str:
    """The full path, so that no program of that name in the current directory is run instead."""
    return "\\".join((os.environ.get("SYSTEMROOT", "C:\\Windows").rstrip("\\"), "System32", name))


def _run_command(command: Sequence[str]) -> bytes:
    flags = getattr(subprocess, "CREATE_NO_WINDOW", 0)
    done = subprocess.run(  # noqa: S603 - full path, and arguments that no shell sees
        command, capture_output=True, check=False, timeout=_COMMAND_TIMEOUT_S, creationflags=flags
    )
    if done.returncode != 0:
        raise OSError(f"{command[0]} failed with {done.returncode}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout
