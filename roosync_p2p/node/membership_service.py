"""Invites, certificates and joining, on the side of the issuer (docs/protocol/trust.md §4).

The running issuer answers strangers on the joining path while a code of its own is outstanding. A certificate leaves
only after the use of the invite, the pinned key and the ledger entry are on disk, in one transaction.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import anyio

from roosync_p2p import limits
from roosync_p2p.adapters.keystore import Identity, issue_machine_certificate
from roosync_p2p.adapters.system import read_now
from roosync_p2p.adapters.websocket.dialer import host_of
from roosync_p2p.adapters.websocket.joining import JoinConnection
from roosync_p2p.clock import rfc3339
from roosync_p2p.codec.records import decode, encode
from roosync_p2p.core.commands import AddInvite, AdmitMachine, IssueRenewal
from roosync_p2p.core.rows import InviteRow
from roosync_p2p.errors import InputFault, NetworkError, PeerFault, RoosyncError
from roosync_p2p.ids import MachineId, parse_machine_id
from roosync_p2p.node.performer import Performer
from roosync_p2p.node.requests import InviteAsked, IssueAsked
from roosync_p2p.trust.certificates import Request, parse_request
from roosync_p2p.trust.dial_back import CONNECTED, DialledBack, decode_dial_back
from roosync_p2p.trust.enrolment import Enrolment, certificates_to_pem
from roosync_p2p.trust.invites import (
    INVITE_ID_BYTES,
    INVITE_SECRET_BYTES,
    Invite,
    JoinCode,
    encode_join_code,
    parse_contact,
)
from roosync_p2p.trust.joining import JOIN_NONCE_BYTES, IssuerSession, JoinRequest
from roosync_p2p.trust.late_renewal import asks_renewal, read_renewal, refuse_renewal, renewed
from roosync_p2p.trust.roles import MEMBER
from roosync_p2p.trust.statements import MemberAdmit, encode_member_admit

__all__ = ["MembershipService"]

_LOG: Final = logging.getLogger(__name__)


class _Answer(NamedTuple):
    """The leaf that was given, and the message that carries it."""

    leaf: bytes
    message: bytes


class MembershipService:
    """Admits machines, if this one is an issuer."""

    def __init__(self, performer: Performer, identity: Identity, invites: Iterable[InviteRow]) -> None:
        self._performer = performer
        self._identity = identity
        self._invites = {row.invite_id: decode(row.data, Invite) for row in invites if row.data is not None}
        self._admitting = anyio.Lock()  # two joiners with one code: the second waits, and is refused

    def use(self, identity: Identity) -> None:
        """This machine has another certificate: joiners are shown that."""
        self._identity = identity

    # --- invites --------------------------------------------------------------------------------------------------

    def join_open(self) -> bool:
        """Whether strangers are answered: while a code is outstanding, an answer may have to be repeated, or a member's
        certificate has run out, which then can only be renewed here.
        """
        now_s = read_now().wall_ms // 1000
        invited = any(invite.expires_s >= now_s for invite in self._invites.values())
        return self._identity.is_issuer and (invited or self._members_ran_out(now_s))

    def _members_ran_out(self, now_s: int) -> bool:
        members = self._performer.core.directory.members.values()
        return any(member.certificate.not_after_s < now_s for member in members)

    async def invite(self, asked: InviteAsked) -> dict[str, Any]:
        """A join code. It is durable here before anybody sees it."""
        self._require_issuer()
        machine = None if asked.machine is None else parse_machine_id(asked.machine)
        if machine is not None and machine in self._performer.core.members():
            raise InputFault(
                f"{machine} is a member already; no code was made",
                code="machine_exists",
                remedy="choose another machine id, or retire that machine first",
            )
        now_s = read_now().wall_ms // 1000
        await self._forget_expired(now_s)
        if sum(1 for invite in self._invites.values() if invite.used_by is None) >= limits.INVITES_OUTSTANDING_MAX:
            raise InputFault("too many codes are outstanding; no code was made", code="too_many_invites")
        invite = Invite(
            invite=os.urandom(INVITE_ID_BYTES),
            secret=os.urandom(INVITE_SECRET_BYTES),
            expires_s=now_s + asked.ttl_s,
            machine=machine,
        )
        code = JoinCode(
            fleet=self._identity.fleet,
            issuer=self._identity.machine,
            invite=invite.invite,
            secret=invite.secret,
            contacts=self._contacts(asked.contacts),
            machine=machine,
            expires_s=invite.expires_s,
        )
        text = encode_join_code(code)
        await self._performer.request(AddInvite(invite_id=invite.invite, data=encode(invite)))
        self._invites[invite.invite] = invite
        return {"code": text, "machine": machine, "expires": rfc3339(invite.expires_s * 1000)}

    def _contacts(self, wanted: tuple[str, ...]) -> tuple[str, ...]:
        for contact in wanted:
            parse_contact(contact)
        own = self._performer.core.presence.addresses
        return tuple(dict.fromkeys([*wanted, *own]))[: limits.JOIN_CONTACTS_MAX]

    async def _forget_expired(self, now_s: int) -> None:
        for invite_id, invite in list(self._invites.items()):
            if invite.expires_s + limits.INVITE_KEPT_S < now_s:
                await self._performer.request(AddInvite(invite_id=invite_id, data=None))
                del self._invites[invite_id]

    # --- issuing --------------------------------------------------------------------------------------------------

    async def issue(self, asked: IssueAsked) -> dict[str, Any]:
        """Answers a request that was carried by hand."""
        self._require_issuer()
        try:
            request = parse_request(asked.request_pem.encode())
        except PeerFault as fault:
            raise InputFault(fault.message, code=fault.code, remedy=fault.remedy) from fault
        async with self._admitting:
            member = self._performer.core.directory.members.get(request.machine)
            if member is not None and member.key_id != request.public.key_id:
                raise InputFault(
                    f"{request.machine} is a member already, with another key; nothing was issued",
                    code="machine_exists",
                    remedy="choose another machine id, or retire that machine first",
                )
            if member is not None:  # the same request again gets the same answer again
                enrolment = Enrolment.checked(leaf=member.leaf, issuer=member.issuer, root=self._identity.root)
            else:
                enrolment = await self._admit(request, None)
        return {
            "machine": enrolment.machine,
            "certificate": certificates_to_pem(enrolment.leaf).decode(),
            "issuer": certificates_to_pem(enrolment.issuer).decode(),
            "root": certificates_to_pem(enrolment.root).decode(),
        }

    async def serve_joiner(self, connection: JoinConnection) -> None:
        """One stranger on the joining path."""
        nonce = os.urandom(JOIN_NONCE_BYTES)
        session = self._session(nonce)
        try:
            with anyio.fail_after(limits.JOIN_TIMEOUT_S):
                leaf = await self._converse(connection, session, nonce)
            if leaf is not None:
                await self._dial_back(connection, leaf)
                await connection.aclose()
        except TimeoutError:
            await connection.aclose("too slow")
        except NetworkError as error:
            _LOG.info("joining: %s", error.message)
            await connection.aclose()

    def hello_file(self, nonce: bytes) -> bytes:
        """The issuer's side of a conversation in files; its nonce serves every request until it is changed."""
        return self._session(nonce).hello()

    async def answer_file(self, nonce: bytes, data: bytes) -> bytes:
        """The answer to a request that came as a file: certificates, or why there are none.

        ``nonce`` is that of the hello that is out. The same request again gets the same certificates again.
        """
        session = self._session(nonce)
        try:
            async with self._admitting:
                return (await self._answered(session, data)).message
        except RoosyncError as error:
            self._performer.core.desk.count(f"join.{error.code}")
            _LOG.warning("refused to let a machine join by folder: %s", error.message, extra={"code": error.code})
            return session.refuse(error)

    def _session(self, nonce: bytes) -> IssuerSession:
        return IssuerSession(
            leaf=self._identity.leaf, issuer=self._identity.issuer, root=self._identity.root, nonce=nonce
        )

    async def _converse(self, connection: JoinConnection, session: IssuerSession, nonce: bytes) -> bytes | None:
        """The leaf that was given to a joiner; None after a refusal or a late renewal, with the conversation ended."""
        await connection.send(session.hello())
        data = await connection.receive()
        if asks_renewal(data):
            await self._renew_late(connection, data, nonce)
            return None
        try:
            async with self._admitting:
                answer = await self._answered(session, data)
        except RoosyncError as error:
            self._performer.core.desk.count(f"join.{error.code}")
            _LOG.warning("refused to let %s join: %s", connection.remote, error.message, extra={"code": error.code})
            await connection.send(session.refuse(error))
            await connection.aclose(error.code)
            return None
        await connection.send(answer.message)
        return answer.leaf

    async def _renew_late(self, connection: JoinConnection, data: bytes, nonce: bytes) -> None:
        """A member whose certificate ran out proves its key, and gets the next one."""
        core = self._performer.core
        try:
            request, clock_ms = read_renewal(data, tls_leaf=self._identity.leaf, nonce=nonce, directory=core.directory)
            answer = await self._performer.request(IssueRenewal(request=request, clock_ms=clock_ms))
        except RoosyncError as error:
            core.desk.count(f"renewal.{error.code}")
            _LOG.warning("refused to renew for %s: %s", connection.remote, error.message, extra={"code": error.code})
            await connection.send(refuse_renewal(error))
        else:
            leaf, issuer = bytes.fromhex(str(answer["leaf"])), bytes.fromhex(str(answer["issuer"]))
            await connection.send(renewed(Enrolment.checked(leaf=leaf, issuer=issuer, root=self._identity.root)))
        await connection.aclose()

    async def _dial_back(self, connection: JoinConnection, leaf: bytes) -> None:
        """Tells a joiner that asks whether it can be reached. Who has nothing to ask hangs up, as older versions do."""
        try:
            with anyio.fail_after(limits.DIAL_BACK_ASKED_S):
                asked = decode_dial_back(await connection.receive())
        except (NetworkError, TimeoutError):
            return
        failed = await connection.dial_back(asked.port, leaf=leaf)
        outcome = CONNECTED if failed is None else failed.value
        self._performer.core.desk.count(f"join.dial_back_{outcome}")
        host = host_of(connection.remote)
        _LOG.info("dialled back to %s, port %d: %s", host, asked.port, outcome)
        await connection.send(encode(DialledBack(outcome=outcome, host=host)))

    async def _answered(self, session: IssuerSession, data: bytes) -> _Answer:
        accepted = session.on_request(
            data,
            invites=self._invites,
            directory=self._performer.core.directory,
            now_s=read_now().wall_ms // 1000,
        )
        if accepted.repeated:
            # The first time the disk may have failed: written again, so that what leaves is durable by now.
            invite = accepted.invite
            await self._performer.request(AddInvite(invite_id=invite.invite, data=encode(invite)))
            return _Answer(invite.leaf, session.answer(invite.leaf, invite.issuer_der))
        self._performer.core.certificates.require_clock(accepted.clock_ms)
        enrolment = await self._admit(accepted.request, accepted)
        return _Answer(enrolment.leaf, session.answer(enrolment.leaf, enrolment.issuer))

    async def _admit(self, request: Request, accepted: JoinRequest | None) -> Enrolment:
        """Issues, and returns once certificate, ledger entry and the invite's use are durable together."""
        enrolment = issue_machine_certificate(self._identity, request, wall_s=read_now().wall_ms // 1000)
        used = None
        if accepted is not None:
            used = accepted.invite.redeemed(
                machine=request.machine,
                key_id=request.public.key_id,
                leaf=enrolment.leaf,
                issuer_der=enrolment.issuer,
            )
        admit = MemberAdmit(
            machine=request.machine,
            key=request.public.key_id,
            roles=accepted.invite.roles if accepted is not None else (MEMBER,),
            leaf=enrolment.leaf,
            issuer=enrolment.issuer,
            admitted_by=self._identity.machine,
            invite=accepted.invite.invite if accepted is not None else b"",
            grant=accepted.invite.grant if accepted is not None else b"",
        )
        if used is not None:
            self._invites[used.invite] = used  # before the disk has it: if the answer is lost, it may still get there
        try:
            await self._performer.request(
                AdmitMachine(
                    machine=request.machine,
                    leaf=enrolment.leaf,
                    issuer=enrolment.issuer,
                    body=encode_member_admit(admit),
                    invite_id=used.invite if used is not None else None,
                    invite=encode(used) if used is not None else None,
                )
            )
        finally:
            if accepted is not None and request.machine not in self._performer.core.members():
                self._invites[accepted.invite.invite] = accepted.invite  # refused: the code is as good as before
        _LOG.info("admitted %s", MachineId(request.machine))
        return enrolment

    def _require_issuer(self) -> None:
        key = self._identity.issuer_key
        if key is None or key.key_id in self._performer.core.directory.given_up:
            issuers = sorted({issuer.machine for issuer in self._performer.core.directory.issuers.values()})
            raise InputFault(
                f"{self._identity.machine} is not an issuer",
                code="not_an_issuer",
                remedy="run this on an issuer's machine" + (f": {', '.join(issuers)}" if issuers else ""),
            )
