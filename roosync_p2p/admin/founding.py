"""Founding a fleet: keys, certificates, settings, and the first entry of its ledger, in one home.

1. The home and an empty store are made.
2. Root, issuer and first machine are made, in one step (``adapters.keystore``).
3. The settings are written, if there are none.
4. The root's statement waits in the store for the node, which writes it to its chain at its first start.

A process that is killed between 2 and 4 leaves an identity beside a store in which nothing ever was. ``init`` knows
that sight, which nothing else produces, and goes on from there, so that a fleet has its first entry always and once.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Callable, Mapping

from roosync_p2p.adapters.home import Home, create_home, read_settings
from roosync_p2p.adapters.keystore import Identity, found_fleet, has_identity, load_identity
from roosync_p2p.adapters.permissions import explained, write_private
from roosync_p2p.adapters.sqlite.store import SqliteStore
from roosync_p2p.admin.arguments import parse_fleet_name
from roosync_p2p.admin.office import hold_home, read_store
from roosync_p2p.api.naming import propose_machine
from roosync_p2p.core.rows import Loaded, MemberRow, PendingRow
from roosync_p2p.core.settings import join_host_port, parse_host_port, parse_toml
from roosync_p2p.errors import InputFault, UsageError
from roosync_p2p.ids import MachineId
from roosync_p2p.trust.statements import FLEET_FOUND

__all__ = ["Founded", "Wishes", "found"]

_PROGRAM = "roosync-admin init"
_FIRST_PENDING = 1


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the user said; None where nothing was."""

    fleet_name: str | None
    machine: str | None
    listen: str | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Founded:
    """What was made. ``resumed``: an earlier attempt that was cut off was finished instead."""

    identity: Identity
    resumed: bool


def found(
    home: Home,
    wishes: Wishes,
    *,
    environ: Mapping[str, str],
    host_name: str,
    passphrase: Callable[[], bytes | None],
    wall_s: int,
) -> Founded:
    """Founds a fleet in this home, or finishes what an earlier call began.

    Args:
        passphrase: asked for after everything was checked that can be checked before.
        wall_s: Unix seconds.

    Raises:
        UsageError: a name, a machine id or an address is malformed.
        InputFault: the home belongs to a machine already (``identity_exists``, ``join_pending``, ``root_exists``),
            is in a synchronised folder, or its settings say otherwise (``settings_disagree``).
        EnvironmentFault: the disk, or the home is in use.
    """
    listen = None if wishes.listen is None else _listen(wishes.listen)
    name = None if wishes.fleet_name is None else parse_fleet_name(wishes.fleet_name)
    if has_identity(home.path) and not _is_untouched(read_store(home)):
        raise _identity_exists(home)  # said before the lock, which that machine's node may hold
    create_home(home, environ)
    with hold_home(home, _PROGRAM):
        if has_identity(home.path):
            return Founded(identity=_finished(home, wishes), resumed=True)
        settings = parse_toml(read_settings(home)).node
        machine = propose_machine(wishes.machine, settings.machine, environ, host_name)
        if home.settings_file.exists():
            _require_agreement("node.machine", settings.machine, machine)
            _require_agreement("node.listen", settings.listen, listen)
        _refuse_used_store(home)
        secret = passphrase()
        with contextlib.closing(SqliteStore.open(home.database)) as store:
            identity = found_fleet(
                home.path, fleet_name=name or machine, machine=machine, passphrase=secret, wall_s=wall_s
            )
            _write_settings(home, machine, listen)
            _queue(store, identity)
    return Founded(identity=identity, resumed=False)


def _finished(home: Home, wishes: Wishes) -> Identity:
    """The identity of a founding that was cut off, completed.

    Raises:
        InputFault: ``identity_exists``: it was not cut off.
    """
    if not home.database.exists():
        raise _identity_exists(home)
    identity = load_identity(home.path)
    with contextlib.closing(SqliteStore.open(home.database)) as store:
        other = wishes.machine is not None and wishes.machine.strip().lower() != identity.machine
        if identity.fleet_found is None or other or not _is_untouched(store.load()):
            raise _identity_exists(home)
        listen = None if wishes.listen is None else _listen(wishes.listen)
        _write_settings(home, identity.machine, listen)
        _queue(store, identity)
    return identity


def _refuse_used_store(home: Home) -> None:
    """A store that knew another life would mix two fleets; joining may leave one, in which nothing is signed.

    Raises:
        InputFault: ``store_exists``.
    """
    if not home.database.exists():
        return
    with contextlib.closing(SqliteStore.open(home.database)) as store:
        if not _is_untouched(store.load()):
            raise InputFault(
                f"{home.database} holds the data of a machine, and its identity is gone; nothing was changed",
                code="store_exists",
                remedy=f"bring {home.identity} back from a backup, or choose another home with --home",
            )


def _is_untouched(loaded: Loaded) -> bool:
    """Whether no node ever started on this store, and nothing was decided here: only addresses may be known."""
    kept = (loaded.meta, loaded.members, loaded.chains, loaded.records, loaded.forks, loaded.invites, loaded.pending)
    return not any(kept)


def _queue(store: SqliteStore, identity: Identity) -> None:
    assert identity.fleet_found is not None
    founder = MemberRow(
        machine=identity.machine, key_id=identity.key.key_id, leaf=identity.leaf, issuer=identity.issuer
    )
    store.commit([founder, PendingRow(number=_FIRST_PENDING, kind=FLEET_FOUND, body=identity.fleet_found)])


def _write_settings(home: Home, machine: MachineId, listen: str | None) -> None:
    """Only what differs from the defaults, and only where the user wrote nothing."""
    for draft in home.path.glob(f".{home.settings_file.name}.*"):  # of an attempt that was cut off
        with explained(draft, "remove"):
            draft.unlink()
    if home.settings_file.exists():
        return
    # A JSON string without "/" escapes is a TOML basic string.
    lines = ["[node]", f"machine = {json.dumps(machine)}"]
    lines += [] if listen is None else [f"listen = {json.dumps(listen)}"]
    write_private(home.settings_file, ("\n".join(lines) + "\n").encode())


def _identity_exists(home: Home) -> InputFault:
    return InputFault(
        f"{home.path} has an identity already; nothing was changed",
        code="identity_exists",
        remedy="`roosync-admin show` says whose it is; choose another --home for another machine",
        details={"home": str(home.path)},
    )


def _require_agreement(key: str, written: str | None, wanted: str | None) -> None:
    if written is not None and wanted is not None and written != wanted:
        raise InputFault(
            f"settings.toml says {key} = {written!r}, and {wanted!r} was asked for; nothing was changed",
            code="settings_disagree",
            remedy="edit settings.toml, or leave the option out",
            details={"key": key, "written": written, "wanted": wanted},
        )


def _listen(text: str) -> str:
    try:
        return join_host_port(*parse_host_port(text, key="--listen"))
    except InputFault as fault:
        raise UsageError(fault.message, code="bad_listen", remedy="for example --listen 0.0.0.0:47600") from fault
