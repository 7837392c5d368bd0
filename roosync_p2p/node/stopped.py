"""What would keep the node of a home from starting (``roosync doctor`` while none runs there).

Each check does what a start does, and takes it back: reads the identity, reads the store, writes a file, listens.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import anyio

from roosync_p2p import limits
from roosync_p2p.adapters.home import Home, read_settings
from roosync_p2p.adapters.keystore import Identity, has_identity, load_identity
from roosync_p2p.adapters.permissions import explained
from roosync_p2p.adapters.sqlite import opening
from roosync_p2p.adapters.sqlite.schema import MIGRATIONS
from roosync_p2p.adapters.system import read_now
from roosync_p2p.adapters.websocket.listener import bind
from roosync_p2p.core.settings import Settings, parse_host_port, parse_toml
from roosync_p2p.errors import EnvironmentFault, RoosyncError
from roosync_p2p.node.diagnosis import Check, bad, check_certificate, good

__all__ = ["check_machine", "check_stopped"]

_PROBE_BYTES: Final = 256 * 1024  # a start writes less


def check_stopped(path: Path) -> Iterator[Check]:
    """The checks of a home that exists and on which no node runs. What ``cli.doctor`` has checked is left out."""
    home = Home(path)
    try:
        settings: Settings | None = parse_toml(read_settings(home))
    except RoosyncError:
        settings = None  # the doctor has said why
    if has_identity(path):
        yield _certificate(path, settings)
    yield _disk(home)
    yield _store(home)
    if settings is not None:
        yield _listening(settings.node.listen)


def check_machine(settings: Settings, identity: Identity) -> None:
    """Whether the settings are this identity's.

    Raises:
        EnvironmentFault: ``wrong_machine``.
    """
    named = settings.node.machine
    if named is not None and named != identity.machine:
        raise EnvironmentFault(
            f"settings.toml names {named}, and the certificate in this home is for {identity.machine}",
            code="wrong_machine",
            remedy="correct [node] machine in settings.toml",
        )


def _certificate(path: Path, settings: Settings | None) -> Check:
    try:
        identity = load_identity(path)
        if settings is not None:
            check_machine(settings, identity)
    except RoosyncError as error:
        return bad("certificate", "error", error.message, error.remedy)
    return check_certificate(identity.machine, identity.leaf, read_now().wall_ms)


def _disk(home: Home) -> Check:
    try:
        with explained(home.path, "write into"), tempfile.TemporaryFile(dir=home.path, prefix=".doctor-") as file:
            file.write(bytes(_PROBE_BYTES))
            file.flush()
    except EnvironmentFault as error:
        return bad("disk", "error", error.message, error.remedy)
    return good("disk", f"{home.path} can be written")


def _store(home: Home) -> Check:
    if not home.database.exists():
        return good("store", "there is no store yet: the node makes one when it starts")
    try:
        opening.require_ours(home.database, opening.read_header(home.database), MIGRATIONS[-1].number)
        opening.check_structure(home.database, busy_timeout_s=limits.STORE_BUSY_TIMEOUT_S, full=True)
    except RoosyncError as error:
        return bad("store", "error", error.message, error.remedy)
    return good("store", f"{home.database} is whole")


def _listening(listen: str) -> Check:
    try:
        anyio.run(_try_to_listen, *parse_host_port(listen, key="node.listen"))
    except RoosyncError as error:
        return bad("listening", "error", error.message, error.remedy)
    return good("listening", f"{listen} is free to listen at")


async def _try_to_listen(host: str, port: int) -> None:
    for listener in await bind(host, port):
        await listener.aclose()
