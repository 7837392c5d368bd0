"""Join codes and invites (docs/protocol/trust.md §3).

A join code is what the issuer hands to a person: everything that a new machine needs to find the issuer and to
recognise it, and a secret. An invite is what the issuer keeps of it. A code works once, for what it was made for.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import ipaddress
import re
from typing import Annotated, Final

import msgspec

from roosync_p2p import limits
from roosync_p2p.codec.digests import sha256
from roosync_p2p.codec.records import Record
from roosync_p2p.errors import MalformedError
from roosync_p2p.ids import FleetId, KeyId, MachineId, parse_machine_id
from roosync_p2p.trust.roles import MEMBER

__all__ = [
    "INVITE_ID_BYTES",
    "INVITE_SECRET_BYTES",
    "Invite",
    "JoinCode",
    "decode_join_code",
    "encode_join_code",
    "parse_contact",
]

INVITE_ID_BYTES: Final = 8  # names the invite at its issuer; not secret
INVITE_SECRET_BYTES: Final = 16  # 128 bits: guessing is hopeless, so rate limits only save work

_PREFIX: Final = "ROO"
_VERSION: Final = 1
_SHAPE: Final = re.compile(r"ROO([0-9]{1,3})-([A-Z2-7-]*)")
_GROUP_CHARS: Final = 8
_CHECKSUM_BYTES: Final = 4
_CHECKSUM_LABEL: Final = b"roosync/join-code/1"
_FLEET_BYTES: Final = 32
_EXPIRY_BYTES: Final = 5  # seconds until the year 36,812
_IPV4, _IPV6, _NAME = 0, 1, 2
_HOST: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class JoinCode:
    """What a join code says. Its secret is shown by nothing but :func:`encode_join_code`.

    Attributes:
        fleet: whose root the new machine will trust.
        issuer: the machine that made the code and alone can redeem it.
        invite: 8 bytes, the invite's name.
        secret: 16 bytes, known to the issuer and to whoever holds the code.
        contacts: where the issuer may be reached, each ``host:port``.
        machine: for this machine id only, or None for any.
        expires_s: Unix seconds, by the issuer's clock.
    """

    fleet: FleetId
    issuer: MachineId
    invite: bytes
    secret: bytes = dataclasses.field(repr=False)
    contacts: tuple[str, ...]
    machine: MachineId | None
    expires_s: int


class Invite(Record, frozen=True, kw_only=True):
    """What the issuer keeps of a join code, owner-only. It needs the secret itself to check a proof.

    Attributes:
        machine: for this machine id only, or None for any.
        roles: what the new member will be.
        grant: the root's signed consent to other roles than plain member, or empty.
        used_by: key id of the machine that redeemed it; None while it is outstanding.
        used_as: the machine id that it was given.
        leaf, issuer_der: the certificates that were given for it, so that a lost answer can be repeated.
    """

    invite: Annotated[bytes, msgspec.Meta(min_length=INVITE_ID_BYTES, max_length=INVITE_ID_BYTES)]
    secret: Annotated[bytes, msgspec.Meta(min_length=INVITE_SECRET_BYTES, max_length=INVITE_SECRET_BYTES)]
    expires_s: int
    machine: MachineId | None = None
    roles: tuple[str, ...] = (MEMBER,)
    grant: bytes = b""
    used_by: KeyId | None = None
    used_as: MachineId | None = None
    leaf: bytes = b""
    issuer_der: bytes = b""

    def redeemed(self, *, machine: MachineId, key_id: KeyId, leaf: bytes, issuer_der: bytes) -> Invite:
        """The invite after it was used. The caller persists it before the certificate leaves."""
        assert self.used_by is None
        return msgspec.structs.replace(self, used_by=key_id, used_as=machine, leaf=leaf, issuer_der=issuer_der)

    def __repr__(self) -> str:
        return f"Invite({self.invite.hex()}, machine={self.machine}, used={self.used_by is not None})"


def encode_join_code(code: JoinCode) -> str:
    """The code as one line of capital letters, digits and ``-``.

    The caller passes a legal code: sizes as documented, at most ``JOIN_CONTACTS_MAX`` contacts.

    Raises:
        MalformedError: a contact is not ``host:port`` (``bad_contact``), or the host names are so long that the code
            would be too (``oversized``).
    """
    assert len(code.fleet) == _FLEET_BYTES
    assert len(code.invite) == INVITE_ID_BYTES
    assert len(code.secret) == INVITE_SECRET_BYTES
    assert len(code.contacts) <= limits.JOIN_CONTACTS_MAX
    body = b"".join(
        (
            code.fleet,
            _text(code.issuer),
            code.invite,
            code.secret,
            code.expires_s.to_bytes(_EXPIRY_BYTES, "big"),
            _text(code.machine or ""),
            bytes([len(code.contacts)]),
            *map(_pack_contact, code.contacts),
        )
    )
    # The length comes first, so that a code that was not copied to its end is told from one with a typo.
    packed = (len(body) + _CHECKSUM_BYTES).to_bytes(2, "big") + body
    letters = base64.b32encode(packed + _checksum(packed)).decode().rstrip("=")
    groups = [letters[at : at + _GROUP_CHARS] for at in range(0, len(letters), _GROUP_CHARS)]
    text = f"{_PREFIX}{_VERSION}-{'-'.join(groups)}"
    if len(text) > limits.JOIN_CODE_CHARS_MAX:
        raise _oversized(text)
    return text


def decode_join_code(text: str) -> JoinCode:
    """The code that a person pasted, in any case, with white space and line breaks anywhere.

    Raises:
        MalformedError: too long (``oversized``), of a newer program (``newer_join_code``), not copied to its end
            (``truncated_join_code``), or with a typo (``bad_join_code``). Nothing was tried.
    """
    if len(text) > 2 * limits.JOIN_CODE_CHARS_MAX:  # twice, so that white space does not count
        raise _oversized(text)
    joined = "".join(text.split())
    if len(joined) > limits.JOIN_CODE_CHARS_MAX:
        raise _oversized(joined)
    match = _SHAPE.fullmatch(joined.upper())
    if match is None:
        raise _bad_code(f"a join code begins with {_PREFIX}{_VERSION}- and has only letters, the digits 2 to 7, and -")
    if int(match[1]) > _VERSION:
        raise MalformedError(
            "the join code was made by a newer program", code="newer_join_code", remedy="install that version here"
        )
    packed = _checked(match[2].replace("-", ""))
    code = _parse_body(_Reader(packed[2:]))
    if int(match[1]) != _VERSION:
        raise _bad_code("no join code has this version")
    return code


def parse_contact(text: str) -> tuple[str, int]:
    """Host and port of ``host:port``; an IPv6 address stands in brackets.

    Raises:
        MalformedError: not that (``bad_contact``).
    """
    host, colon, port = text.rpartition(":")
    if not colon or not re.fullmatch(r"[0-9]{1,5}", port) or not 0 < int(port) < 1 << 16:
        raise _bad_contact(text)
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if bare != host or re.fullmatch(r"[0-9.]+", bare):
        return _address_of(bare, text, version=6 if bare != host else 4), int(port)
    if len(bare) > limits.HOST_CHARS_MAX or not _HOST.fullmatch(bare):
        raise _bad_contact(text)
    return bare, int(port)


class _Reader:
    """Reads pieces off the front of bytes; every overrun is the same error."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def take(self, size: int) -> bytes:
        if len(self._data) < size:
            raise _bad_code("the join code ends in the middle of a field")
        piece, self._data = self._data[:size], self._data[size:]
        return piece

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def text(self) -> str:
        try:
            return self.take(self.number(1)).decode("ascii")
        except UnicodeDecodeError as error:
            raise _bad_code("a name in the join code is not ASCII") from error

    def finish(self) -> None:
        if self._data:
            raise _bad_code("the join code goes on after its last field")


def _checked(letters: str) -> bytes:
    """Length, data and nothing else, after the checksum was compared."""
    padded = letters + "=" * (-len(letters) % 8)
    try:
        packed = base64.b32decode(padded)
    except binascii.Error:
        packed = base64.b32decode(letters[: len(letters) // 8 * 8])  # whole groups, to read the length
    announced = int.from_bytes(packed[:2], "big") + 2
    if len(packed) < max(announced, 2 + _CHECKSUM_BYTES):
        raise MalformedError("the join code is cut off", code="truncated_join_code", remedy="copy it again, to its end")
    data, checksum = packed[:-_CHECKSUM_BYTES], packed[-_CHECKSUM_BYTES:]
    # Encoding again refuses the unused bits of the last letter: one code has one text.
    if checksum != _checksum(data) or base64.b32encode(packed).decode().rstrip("=") != letters:
        raise _bad_code("the join code has a typo: its checksum does not fit")
    return data


def _parse_body(reader: _Reader) -> JoinCode:
    fleet = FleetId(reader.take(_FLEET_BYTES))
    issuer = _machine(reader.text())
    invite, secret = reader.take(INVITE_ID_BYTES), reader.take(INVITE_SECRET_BYTES)
    expires_s = reader.number(_EXPIRY_BYTES)
    machine = reader.text()
    count = reader.number(1)
    if count > limits.JOIN_CONTACTS_MAX:
        raise _bad_code(f"{count} contact addresses, where {limits.JOIN_CONTACTS_MAX} are allowed")
    contacts = tuple(_read_contact(reader) for _ in range(count))
    reader.finish()
    return JoinCode(
        fleet=fleet,
        issuer=issuer,
        invite=invite,
        secret=secret,
        contacts=contacts,
        machine=_machine(machine) if machine else None,
        expires_s=expires_s,
    )


def _machine(text: str) -> MachineId:
    try:
        machine = parse_machine_id(text)
    except MalformedError as error:
        raise _bad_code(error.message) from error
    if machine != text:
        raise _bad_code("a machine id in the join code is not in its canonical form")
    return machine


def _pack_contact(contact: str) -> bytes:
    host, port = parse_contact(contact)
    tail = port.to_bytes(2, "big")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return bytes([_NAME]) + _text(host) + tail
    return bytes([_IPV4 if address.version == 4 else _IPV6]) + address.packed + tail


def _read_contact(reader: _Reader) -> str:
    kind = reader.number(1)
    if kind == _IPV4:
        host = str(ipaddress.IPv4Address(reader.take(4)))
    elif kind == _IPV6:
        host = f"[{ipaddress.IPv6Address(reader.take(16))}]"
    elif kind == _NAME:
        host = reader.text()
    else:
        raise _bad_code("the join code has a contact address of an unknown kind")
    contact = f"{host}:{reader.number(2)}"
    try:
        parse_contact(contact)
    except MalformedError as error:
        raise _bad_code(error.message) from error
    return contact


def _address_of(bare: str, text: str, *, version: int) -> str:
    try:
        address = ipaddress.ip_address(bare)
    except ValueError as error:
        raise _bad_contact(text) from error
    if address.version != version or "%" in bare:
        raise _bad_contact(text)
    return str(address)


def _text(text: str) -> bytes:
    return bytes([len(text)]) + text.encode("ascii")


def _checksum(data: bytes) -> bytes:
    return sha256(_CHECKSUM_LABEL + data)[:_CHECKSUM_BYTES]


def _bad_code(message: str) -> MalformedError:
    return MalformedError(message, code="bad_join_code", remedy="copy the code again, whole")


def _oversized(text: str) -> MalformedError:
    return MalformedError(
        f"{len(text)} characters, where a join code has at most {limits.JOIN_CODE_CHARS_MAX}",
        code="oversized",
        remedy="copy the code again, alone",
    )


def _bad_contact(text: str) -> MalformedError:
    return MalformedError(f"{text[:100]!r} is not an address such as 192.168.1.10:47600", code="bad_contact")
