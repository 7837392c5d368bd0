"""Example key material: what the files of a fleet look like, the same bytes in every run, safe to publish.

The keys come from words that stand in this file, so they are as good as published; no private key is written, and a
placeholder stands where one would be.
"""

from __future__ import annotations

import base64
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from roosync_p2p.adapters.permissions import explained
from roosync_p2p.clock import rfc3339
from roosync_p2p.codec.digests import sha256
from roosync_p2p.errors import InputFault
from roosync_p2p.ids import FleetId, MachineId
from roosync_p2p.trust.certificates import (
    certificate_request,
    issuer_certificate,
    machine_certificate,
    root_certificate,
)
from roosync_p2p.trust.enrolment import certificates_to_pem
from roosync_p2p.trust.invites import INVITE_ID_BYTES, INVITE_SECRET_BYTES, JoinCode, encode_join_code
from roosync_p2p.trust.keys import SigningKey

__all__ = ["EXAMPLE_TIME_S", "example_files", "write_examples"]

EXAMPLE_TIME_S: Final = 1_767_225_600  # 2026-01-01T00:00:00Z
_WORD: Final = "roosync public example, never use"
_FLEET_NAME: Final = "Public example"
_FOUNDER: Final = MachineId("example-founder")
_MEMBER: Final = MachineId("example-member")
_JOINER: Final = MachineId("example-joiner")
_CONTACT: Final = "192.0.2.10:47600"  # RFC 5737: an address for documentation
_DAY_S: Final = 24 * 3600
_README: Final = "README.txt"


def write_examples(folder: Path, *, wall_s: int) -> list[str]:
    """Writes the files, over those of an earlier run; their names.

    Raises:
        InputFault: ``directory_not_empty``: the folder holds something else.
        EnvironmentFault: the disk.
    """
    with explained(folder, "write"):
        if folder.is_dir() and any(folder.iterdir()) and not (folder / _README).is_file():
            raise InputFault(
                f"{folder} holds other files; nothing was written",
                code="directory_not_empty",
                remedy="name a new or an empty directory",
            )
        files = example_files(wall_s)
        for name, data in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    return list(files)


def example_files(wall_s: int) -> Mapping[str, bytes]:
    """Name and content of each file, deterministic.

    Args:
        wall_s: Unix seconds; when everything was made.
    """
    root_key, issuer_key = _key("root"), _key("issuer")
    root = root_certificate(root_key, fleet_name=_FLEET_NAME, serial=_serial("root"), now_s=wall_s)
    issuer = issuer_certificate(
        root_key, root, issuer_key.public, machine=_FOUNDER, serial=_serial("issuer"), now_s=wall_s
    )
    fleet = FleetId(root_key.key_id)
    files = {
        _README: _readme(fleet, wall_s),
        "root.pem": certificates_to_pem(root),
        "root.key": _placeholder("root.key", "encrypted, on the founding machine until it is moved away"),
        "issuer.pem": certificates_to_pem(issuer),
        "issuer.key": _placeholder("issuer.key", "on the machine that admits others, owner-only"),
    }
    for machine in (_FOUNDER, _MEMBER):
        leaf = machine_certificate(
            issuer_key,
            issuer,
            _key(machine).public,
            machine=machine,
            fleet=fleet,
            serial=_serial(machine),
            now_s=wall_s,
        )
        files |= {
            f"{machine}/machine.pem": certificates_to_pem(leaf),
            f"{machine}/chain.pem": certificates_to_pem(leaf, issuer),
            f"{machine}/machine.key": _placeholder("machine.key", f"on {machine} alone, owner-only"),
        }
    files |= {
        f"{_MEMBER}/request.pem": _request(_MEMBER),
        f"{_MEMBER}/answer.pem": files[f"{_MEMBER}/chain.pem"] + files["root.pem"],
        "join-code.txt": _join_code(fleet, wall_s),
    }
    return files


def _key(name: str) -> SigningKey:
    return SigningKey(sha256(f"{_WORD}: {name}".encode()))


def _serial(name: str) -> int:
    return int.from_bytes(sha256(f"{_WORD}: serial of {name}".encode())[:16], "big") | 1


def _request(machine: MachineId) -> bytes:
    der = certificate_request(_key(machine), machine)
    return x509.load_der_x509_csr(der).public_bytes(serialization.Encoding.PEM)


def _join_code(fleet: FleetId, wall_s: int) -> bytes:
    code = JoinCode(
        fleet=fleet,
        issuer=_FOUNDER,
        invite=sha256(f"{_WORD}: invite".encode())[:INVITE_ID_BYTES],
        secret=sha256(f"{_WORD}: secret".encode())[:INVITE_SECRET_BYTES],
        contacts=(_CONTACT,),
        machine=_JOINER,
        expires_s=wall_s + _DAY_S,
    )
    return f"{encode_join_code(code)}\n".encode()


def _placeholder(name: str, where: str) -> bytes:
    """A PEM file that no program takes for a key."""
    words = f"PLACEHOLDER: {name} is a private key and is not published. A real one is kept {where}."
    body = "\n".join(textwrap.wrap(base64.b64encode(words.encode()).decode(), 64))
    return f"{words}\n-----BEGIN PLACEHOLDER-----\n{body}\n-----END PLACEHOLDER-----\n".encode()


def _readme(fleet: FleetId, wall_s: int) -> bytes:
    made = rfc3339(wall_s * 1000)
    at = wall_s + 30 * _DAY_S
    return f"""\
Example key material of a fleet. Never use it: its keys come from words in the program's source.

Made by `roosync-admin example-certs DIR`, with the same bytes in every run; dated {made}.
No file here is a private key: where one would be, there is a PLACEHOLDER.

fleet id          {fleet.hex()}

root.pem          the root certificate; its key's SHA-256 is the fleet id
root.key          PLACEHOLDER for the root key
issuer.pem        the certificate of {_FOUNDER} as an issuer, signed by the root
issuer.key        PLACEHOLDER for the issuer's key
{_FOUNDER}/  the founding machine
{_MEMBER}/   a machine that was admitted by files carried by hand
  machine.pem     its certificate, signed by the issuer
  chain.pem       machine.pem and issuer.pem, as TLS presents them
  machine.key     PLACEHOLDER for its key, which never leaves it
  request.pem     what `roosync-admin request` printed there
  answer.pem      what `roosync-admin issue` answered: machine, issuer, root
join-code.txt     what `roosync-admin invite {_JOINER}` printed; expired a day later

Verify, at a time when the certificates are valid:

  openssl verify -attime {at} -CAfile root.pem -untrusted issuer.pem {_MEMBER}/machine.pem
""".encode()
