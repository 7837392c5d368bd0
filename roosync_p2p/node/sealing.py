"""Sealed messages of a running node: sealed for who announces a key, opened for display (messages.md §13)."""

from __future__ import annotations

import dataclasses
import logging
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import anyio
import anyio.to_thread

from roosync_p2p import limits
from roosync_p2p.adapters.sealing import can_seal, open_text, seal_text
from roosync_p2p.adapters.sealing_keys import SealingKeys
from roosync_p2p.core import inputs
from roosync_p2p.core.mail_commands import SealedBody, SendMessage
from roosync_p2p.core.messaging import request_digest
from roosync_p2p.core.ports import Reader
from roosync_p2p.core.rows import EntryRow, MessageRow
from roosync_p2p.errors import InputFault, MalformedError, RoosyncError
from roosync_p2p.ids import MachineId, MessageId, format_message_id
from roosync_p2p.mailbox.attachments import Attachment
from roosync_p2p.mailbox.message import MessageBody, check_message, decode_message
from roosync_p2p.mailbox.sealed import SEALED_SUBJECT, SealedFile, SealedText, decode_box, seal_info
from roosync_p2p.mailbox.states import recipients
from roosync_p2p.node.performer import Performer

__all__ = ["Opened", "Seals", "needed_keys"]

_LOG: Final = logging.getLogger(__name__)
_ID_BYTES: Final = 3


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What is in a sealed message, or in one word why it cannot be shown here."""

    text: SealedText | None
    problem: str = ""


class Seals:
    """The sealing keys of this machine, and what is done with them.

    Args:
        home: where they lie; None: this node neither seals nor opens.
    """

    def __init__(self, performer: Performer, home: Path | None) -> None:
        self._performer = performer
        self._keys = SealingKeys(home) if home is not None and can_seal() else None

    # --- the keys -------------------------------------------------------------------------------------------------

    def announce(self) -> None:
        """Makes a key if one is due, and has it announced.

        Raises:
            EnvironmentFault: the disk.
        """
        if self._keys is not None:
            public = self._keys.current(self._performer.core.desk.now.wall_ms)
            self._performer.feed(inputs.SealingKey(public=public))

    async def watch(self, reader: Reader) -> None:
        """Replaces the key when its time is over, and removes old ones that nothing needs, until it is cancelled."""
        while True:
            await anyio.sleep(limits.RETENTION_INTERVAL_S)
            try:
                self.announce()
                await self._forget(reader)
            except RoosyncError as error:
                _LOG.warning("the keys of sealed messages were not looked after: %s", error)

    async def _forget(self, reader: Reader) -> None:
        if self._keys is None:
            return
        needed = await anyio.to_thread.run_sync(needed_keys, reader, self._performer.core.me)
        self._keys.forget(self._performer.core.desk.now.wall_ms, needed)

    # --- sealing --------------------------------------------------------------------------------------------------

    def sealed(self, plain: SendMessage, files: Mapping[bytes, tuple[bytes, int, bytes]]) -> SendMessage:
        """The command that sends a message sealed. What it cites are blobs that are encrypted already.

        Args:
            files: by the hash of each such blob: key, size and hash of its text.

        Raises:
            InputFault: ``cannot_seal`` here; ``no_sealing_key`` of a recipient; ``no_such_upload``; nothing was sent.
            MalformedError: a field breaks its bound.
        """
        core = self._performer.core
        if self._keys is None:
            raise InputFault(
                "this computer cannot seal messages: its `cryptography` has no HPKE; nothing was sent",
                code="cannot_seal",
                remedy="install cryptography 47 or newer, where this platform has it; or send it without --private",
            )
        core.messaging.require_recipients(plain)
        keys = self._keys_for(plain)
        inside = tuple(_file(attachment, files) for attachment in plain.attachments)
        shown = dataclasses.replace(
            plain,
            attachments=tuple(Attachment(name=file.name, size=file.size, sha256=file.sha256) for file in inside),
        )
        text = SealedText(subject=plain.subject, body=plain.body, tags=plain.tags, files=inside)
        message = MessageId(format_message_id(core.desk.now.wall_ms, secrets.token_bytes(_ID_BYTES)))
        to = list(dict.fromkeys(str(address) for address in plain.to))
        check_message(_face(shown, message, to))
        info = seal_info(fleet=core.desk.identity.fleet, sender=core.me, message=message, to=to, machines=keys)
        return dataclasses.replace(
            plain,
            subject=SEALED_SUBJECT,
            body="",
            tags=(),
            attachments=tuple(_nameless(attachment) for attachment in plain.attachments),
            sealed=SealedBody(
                id=message, box=seal_text(text, keys=keys, info=info), request=request_digest(shown, private=True)
            ),
        )

    def _keys_for(self, plain: SendMessage) -> dict[MachineId, bytes]:
        """The keys of all machines that it is for, and of this one, which wants to read what it wrote."""
        core = self._performer.core
        members = [machine for machine in core.members() if not core.messaging.gone(machine)]
        named = {machine for machine, _ in recipients(plain.to, author=core.me, members=members).values()}
        found = {machine: core.delivery.sealing_key(machine) for machine in sorted({*named, core.me})}
        lacking = [machine for machine, key in found.items() if key is None]
        if lacking:
            raise InputFault(
                f"{', '.join(lacking)} announced no key for sealed messages; nothing was sent",
                code="no_sealing_key",
                remedy="there, update roosync and `cryptography` (47 or newer) and start the node once;"
                " or send it without --private",
                details={"machines": lacking},
            )
        return {machine: key for machine, key in found.items() if key is not None}

    # --- opening --------------------------------------------------------------------------------------------------

    def opened(self, row: MessageRow, entry: EntryRow | None) -> Opened | None:
        """What is in a message; None if it is not sealed. Its entry was verified when it came.

        May take a millisecond: called in a thread.
        """
        if not row.sealed:
            return None
        if entry is None or entry.body is None:
            return Opened(text=None, problem="dropped")
        if self._keys is None:
            return Opened(text=None, problem="cannot_seal")
        try:
            message = decode_message(entry.body)
            box = decode_box(message.sealed)
            identity = self._performer.core.desk.identity
            info = seal_info(
                fleet=identity.fleet,
                sender=row.author,
                message=message.message_id,
                to=message.to,
                machines=[MachineId(key.machine) for key in box.keys],
            )
            text = open_text(box, identity.machine, self._keys.private, info=info)
        except RoosyncError as error:
            return Opened(text=None, problem=error.code)
        if len(text.files) != len(message.attachments):
            return Opened(text=None, problem="seal_broken")
        return Opened(text=text)


def _file(attachment: Attachment, files: Mapping[bytes, tuple[bytes, int, bytes]]) -> SealedFile:
    if attachment.sha256 not in files:
        raise InputFault(
            f"{attachment.name} was not handed to this node to be sealed; nothing was sent",
            code="no_such_upload",
            remedy="hand the file over again, as private: a node that restarted has forgotten its key",
        )
    key, size, sha256 = files[attachment.sha256]
    return SealedFile(name=attachment.name, size=size, sha256=sha256, key=key)


def _nameless(attachment: Attachment) -> Attachment:
    return Attachment(name="", size=attachment.size, sha256=attachment.sha256)


def _face(command: SendMessage, message: MessageId, to: list[str]) -> MessageBody:
    """The message as its readers see it, for its bounds."""
    return MessageBody(
        id=message,
        to=to,
        subject=command.subject,
        body=command.body,
        tags=command.tags,
        attachments=command.attachments,
    )


def needed_keys(reader: Reader, me: MachineId) -> set[bytes]:
    """The public keys of this machine that messages with a body are sealed for."""
    needed: set[bytes] = set()
    for message in reader.sealed():
        entry = reader.entry(message)
        if entry is None or entry.body is None:
            continue
        try:
            box = decode_box(decode_message(entry.body).sealed)
        except MalformedError:
            continue
        needed.update(key.public for key in box.keys if key.machine == me)
    return needed
