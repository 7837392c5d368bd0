"""``roosync-admin backup`` and ``restore``: a whole home in one sealed file (docs/protocol/store.md §7).

A restored store has lost whatever was written after the backup. So it begins a new life: at its next start the node
makes a new store id and incarnation behind everything that the others hold of it, and writes nothing until an issuer,
or the root, countersigns that (entries.md §3).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final

from roosync_p2p import limits
from roosync_p2p.adapters.backup_mark import mark_backup
from roosync_p2p.adapters.home import Home, create_home
from roosync_p2p.adapters.keystore import has_identity, load_identity
from roosync_p2p.adapters.permissions import create_private_directory, explained, replace, write_private
from roosync_p2p.adapters.sealed_files import open_sealed, seal_file
from roosync_p2p.adapters.sqlite.connect import connect_reader
from roosync_p2p.adapters.sqlite.faults import explaining
from roosync_p2p.adapters.sqlite.store import SqliteStore
from roosync_p2p.adapters.system import read_now
from roosync_p2p.admin.office import hold_home
from roosync_p2p.api.methods import JsonObject
from roosync_p2p.core.restored import held_only_vote, mark, next_life
from roosync_p2p.errors import InputFault, MalformedError
from roosync_p2p.ids import MachineId, StoreId

__all__ = ["back_up", "restore"]

_FOLDERS: Final = ("identity", "root", "persons")
_FILES: Final = ("settings.toml", "node.db")
_STORE_ID_BYTES: Final = 16


def back_up(home: Home, target: Path, passphrase: bytes) -> JsonObject:
    """Writes identity, keys, settings and store of this home to one sealed file; a node may run meanwhile.

    Raises:
        InputFault: ``target`` is there already (``file_exists``).
        EnvironmentFault, StoreError: identity, store or disk; nothing is at ``target``.
    """
    identity = load_identity(home.path)
    if target.exists():
        raise InputFault(f"{target} is there already; nothing was written", code="file_exists")
    staged = target.with_name(target.name + ".new")
    with explained(target, "write"), tempfile.TemporaryDirectory(dir=home.path, prefix="backup.") as scratch:
        names = _gather(home, Path(scratch))
        plain = Path(scratch) / "backup.tar"
        with tarfile.open(plain, "w") as tar:
            for name in names:
                source = Path(scratch) / name if name == "node.db" else home.path / name
                tar.add(source, arcname=name, recursive=False)
        try:
            with plain.open("rb") as source_file, _owner_only(staged) as sealed:
                seal_file(source_file, sealed, passphrase)
                sealed.flush()
                os.fsync(sealed.fileno())
            replace(staged, target)
        finally:
            staged.unlink(missing_ok=True)
    mark_backup(home.path, identity, wall_ms=read_now().wall_ms)
    return {
        "machine": identity.machine,
        "fleet": identity.fleet.hex(),
        "file": str(target),
        "holds": sorted(names),
        "root_key": "root/root.key" in names,
    }


def restore(home: Home, source: Path, passphrase: bytes) -> JsonObject:
    """Makes a home from a backup, whose store begins a new life at its node's next start.

    Raises:
        InputFault: the home is a machine's already (``identity_exists``), or the passphrase (``wrong_passphrase``).
        MalformedError: no backup, or damaged (``bad_backup``).
        EnvironmentFault, StoreError: the disk; the home has no identity then.
    """
    if has_identity(home.path) or home.database.exists():
        raise InputFault(
            f"{home.path} holds a machine already; nothing was changed",
            code="identity_exists",
            remedy="choose another --home",
        )
    create_home(home, os.environ)
    with hold_home(home, "roosync-admin restore"):
        scratch = home.path / "restore.new"
        shutil.rmtree(scratch, ignore_errors=True)
        create_private_directory(scratch)
        try:
            with explained(home.path, "write"):
                _extract(source, scratch, passphrase)
            document = _new_life(scratch / "node.db", load_identity(scratch).machine)
            with explained(home.path, "write"):
                # The identity last: a home that has one is complete.
                for name in (*_FILES, *(folder for folder in _FOLDERS if folder != "identity"), "identity"):
                    if (scratch / name).exists():
                        replace(scratch / name, home.path / name)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        mark_backup(home.path, load_identity(home.path), wall_ms=read_now().wall_ms)
    return {"home": str(home.path), **document}


def _gather(home: Home, scratch: Path) -> list[str]:
    names = [name for name in ("settings.toml",) if (home.path / name).is_file()]
    for folder in _FOLDERS:
        inside = sorted((home.path / folder).glob("*")) if (home.path / folder).is_dir() else []
        names += [f"{folder}/{file.name}" for file in inside if file.is_file()]
    if home.database.exists():
        # SQLite's own copy of one moment, beside whoever writes.
        with (
            explaining(home.database, "copying it"),
            contextlib.closing(connect_reader(home.database, busy_timeout_s=limits.STORE_BUSY_TIMEOUT_S)) as reader,
            contextlib.closing(sqlite3.connect(scratch / "node.db")) as copy,
        ):
            reader.backup(copy)
        names.append("node.db")
    return names


@contextlib.contextmanager
def _owner_only(path: Path) -> Iterator[BinaryIO]:
    with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
        yield file


def _extract(source: Path, scratch: Path, passphrase: bytes) -> None:
    """Every piece is verified before anything of it is looked at, and only what a home holds is taken."""
    plain = scratch / "backup.tar"
    with source.open("rb") as sealed, _owner_only(plain) as whole:
        for piece in open_sealed(sealed, passphrase):
            whole.write(piece)
    try:
        with tarfile.open(plain, "r:") as tar:
            for member in tar:
                _take(tar, member, scratch)
    except tarfile.TarError as error:
        raise MalformedError("the backup does not hold a home", code="bad_backup") from error
    plain.unlink()


def _take(tar: tarfile.TarFile, member: tarfile.TarInfo, scratch: Path) -> None:
    parts = PurePosixPath(member.name).parts
    known = parts in {(name,) for name in _FILES} or (len(parts) == 2 and parts[0] in _FOLDERS)
    if not known or not member.isfile() or ".." in parts:
        raise MalformedError(f"a backup does not hold {member.name[:100]!r}", code="bad_backup")
    content = tar.extractfile(member)
    assert content is not None
    target = scratch.joinpath(*parts)
    if len(parts) == 2 and not target.parent.is_dir():
        create_private_directory(target.parent)
    if parts == ("node.db",):
        with _owner_only(target) as file:
            shutil.copyfileobj(content, file)
    else:
        write_private(target, content.read(limits.ENTRY_BODY_BYTES_MAX))


def _new_life(database: Path, machine: MachineId) -> JsonObject:
    """Marks the store: it is behind, and has to be countersigned. Also says whether it alone voted."""
    with contextlib.closing(SqliteStore.open(database)) as store:
        loaded = store.load()
        life = next_life(loaded, machine, StoreId(os.urandom(_STORE_ID_BYTES)))
        store.commit([mark(life)])
    return {
        "machine": machine,
        "incarnation": life.incarnation,
        "last_ledger": 0 if life.ledger is None else life.ledger.sequence,
        "last_mail": 0 if life.mail is None else life.mail.sequence,
        "commits": int(loaded.commits),
        "held_only_vote": held_only_vote(loaded, machine),
    }
