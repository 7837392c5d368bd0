"""This machine's next key on the disk, until it takes the place of the old one (docs/protocol/trust.md §10).

    identity/next.key       made by ``rotate``, owner-only; used again by the next try

It takes the old one's place in one step: once ``chain.pem`` is for it, this machine is known by it
(:func:`~roosync_p2p.adapters.keystore.load_identity` looks). What was interrupted behind that step is finished at the
next start; what was interrupted before it, the store decides: if the rotation is there, others may have heard of it.
"""

from __future__ import annotations

from pathlib import Path

from roosync_p2p.adapters.identity_files import load_key
from roosync_p2p.adapters.keystore import NEXT_KEY, Identity, generate_key, install_certificate, load_identity
from roosync_p2p.adapters.permissions import explained, replace, write_private
from roosync_p2p.core.rotations import own_rotation
from roosync_p2p.core.rows import Loaded
from roosync_p2p.trust.keys import SigningKey

__all__ = ["finish_rotation", "install_next", "next_key"]


def next_key(home: Path) -> SigningKey:
    """The key that this machine is going to have; the same again until it has it.

    Raises:
        EnvironmentFault: identity or disk.
    """
    folder = load_identity(home).key_path.parent
    path = folder / NEXT_KEY
    if not path.exists():
        staged = folder / f"{NEXT_KEY}.new"
        write_private(staged, generate_key().to_pem(None))
        with explained(path, "write"):
            replace(staged, path)
    return load_key(path)


def install_next(home: Path, *, leaf: bytes, issuer: bytes) -> Identity:
    """The next key and its certificate become this machine's; killed in between, the old or the new one works.

    The caller has verified the chain, and the rotation is in the store.

    Raises:
        EnvironmentFault: the disk; what works is one of the two.
    """
    folder = install_certificate(home, leaf=leaf, issuer=issuer).key_path.parent
    with explained(folder, "write"):
        replace(folder / NEXT_KEY, folder / "machine.key")
    return load_identity(home)


def finish_rotation(home: Path, identity: Identity, loaded: Loaded) -> Identity:
    """Who this machine is, once a rotation that was interrupted is finished. The caller holds the home's lock.

    Raises:
        EnvironmentFault: the disk.
    """
    said = own_rotation(loaded.records, identity.machine, identity.key.key_id)
    waiting = identity.key_path.parent / NEXT_KEY
    if said is not None and waiting.exists() and load_key(waiting).key_id == said.new:
        return install_next(home, leaf=said.leaf, issuer=said.issuer)
    if identity.key_path.name == NEXT_KEY:
        return install_next(home, leaf=identity.leaf, issuer=identity.issuer)
    return identity
