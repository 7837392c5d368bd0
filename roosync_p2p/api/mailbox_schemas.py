"""What the local API takes and gives about the mailbox beyond sending and reading (docs/protocol/api.md §4.1)."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta

from roosync_p2p import limits
from roosync_p2p.api.records import Answer, Request, VoicedRequest

__all__ = [
    "AckRequest",
    "AmendRequest",
    "ArchiveMessagesRequest",
    "Archived",
    "KeepRequest",
    "Kept",
    "SearchRequest",
    "TakeRequest",
    "Taken",
    "Thread",
    "ThreadRequest",
]

_Note = Annotated[str, Meta(max_length=limits.NOTE_CHARS_MAX)]
_Id = Annotated[str, Meta(min_length=1, max_length=limits.THREAD_ID_CHARS_MAX)]


class AckRequest(VoicedRequest, frozen=True, kw_only=True):
    """It was acted on, or with ``decline`` nobody will; by a workspace, or None for the machine itself."""

    decline: bool = False
    note: _Note = ""


class TakeRequest(VoicedRequest, frozen=True, kw_only=True):
    """A session takes a message for ``lease_s``: by its ``secret``; or, without one, the user's ``process``."""

    lease_s: Annotated[float, Meta(ge=1, le=limits.TAKE_LEASE_S_MAX)] = limits.TAKE_LEASE_S

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.secret is None and (self.user is None or self.process is None):
            raise ValueError("who takes it? give `secret`, or `user` and `process`")


class ArchiveMessagesRequest(VoicedRequest, frozen=True, kw_only=True):
    """Messages to put aside in a workspace's inbox and the machine's own."""

    ids: Annotated[tuple[_Id, ...], Meta(min_length=1, max_length=limits.ARCHIVED_AT_ONCE_MAX)]


class KeepRequest(Request, frozen=True, kw_only=True):
    """Whether retention leaves a message alone on this machine."""

    kept: bool = True


class AmendRequest(VoicedRequest, frozen=True, kw_only=True):
    """Another body. ``secret``: of the session in which the message was sent, if it was in one."""

    body: Annotated[str, Meta(max_length=limits.ENTRY_BODY_BYTES_MAX)]
    reason: _Note = ""


class SearchRequest(Request, frozen=True, kw_only=True):
    """Words that a message has in subject, body or tags; a ``*`` at the end of one stands for any ending."""

    words: Annotated[str, Meta(min_length=1, max_length=limits.SEARCH_CHARS_MAX)]
    limit: Annotated[int, Meta(ge=1, le=limits.INBOX_PAGE_MAX)] = 50
    before: Annotated[str, Meta(max_length=200)] | None = None


class ThreadRequest(Request, frozen=True, kw_only=True):
    """A thread's own name, or the id of any message in it."""

    id: _Id


class Taken(Answer, frozen=True, kw_only=True):
    """A message that a session works on, in which inboxes (null: the machine's own), until when at the latest."""

    id: str
    session: str
    workspaces: list[str | None]
    until: str


class Archived(Answer, frozen=True, kw_only=True):
    """The messages that are archived now."""

    archived: list[str]


class Kept(Answer, frozen=True, kw_only=True):
    """Whether it is kept."""

    id: str
    kept: bool


class Thread(Answer, frozen=True, kw_only=True):
    """A thread, answers below what they answer.

    Attributes:
        messages: each a :class:`~roosync_p2p.api.schemas.Message` with ``depth`` and ``read_by``.
        count: how many messages it has; of a very long one only the newest are among ``messages``.
        participants: machines that wrote in it.
        unread: how many of the messages shown lie unread in an inbox of this machine.
        commits: those cited anywhere in it, with their outcomes.
    """

    thread_id: str
    messages: list[dict[str, Any]]
    count: int
    participants: list[str]
    last_activity: str
    unread: int
    commits: list[dict[str, Any]]
