"""Names of attachments: what a stranger writes never steers where, or over what, a file is written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roosync_p2p import limits
from roosync_p2p.codec.records import encode
from roosync_p2p.errors import MalformedError
from roosync_p2p.mailbox.attachments import Attachment, free_name, safe_name
from roosync_p2p.mailbox.message import MessageBody, decode_message


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("build.log", "build.log"),
        ("Écran du lundi.log", "Écran du lundi.log"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Windows\\system.ini", "system.ini"),
        ("/", "attachment"),
        ("..", "attachment"),
        ("", "attachment"),
        (".bashrc", "bashrc"),
        ("con", "_con"),
        ("NUL.txt", "_NUL.txt"),
        ("com1.log", "_com1.log"),
        ("a\x1b[2Jb\u202etxt.exe", "a[2Jbtxt.exe"),
        ("what?.txt", "what_.txt"),
        ("dots... ", "dots"),
        ("a:stream", "a_stream"),
    ],
)
def test_a_name_from_elsewhere_becomes_one_that_harms_nothing(name: str, safe: str) -> None:
    assert safe_name(name) == safe


@given(st.text(max_size=400))
def test_every_safe_name_is_one_part_of_a_path_and_its_own_safe_name(name: str) -> None:
    safe = safe_name(name)
    assert safe
    assert safe not in (".", "..")
    assert not set(safe) & set('<>:"/\\|?*')
    assert safe.isprintable()
    assert len(safe.encode()) <= limits.ATTACHMENT_NAME_BYTES_MAX
    assert safe_name(safe) == safe


@given(st.text(max_size=300), st.sets(st.sampled_from(["a.log", "A (2).LOG", "a (3).log"])))
def test_a_free_name_is_taken_by_nobody_in_whatever_case(name: str, taken: set[str]) -> None:
    free = free_name(name, taken)
    assert free.casefold() not in {other.casefold() for other in taken}
    assert len(free.encode()) <= limits.ATTACHMENT_NAME_BYTES_MAX


def test_a_number_stands_before_the_suffix() -> None:
    assert free_name("a.log", {"A.LOG", "a (2).log"}) == "a (3).log"
    assert free_name("x" * 300, {"x" * 200}) == "x" * 196 + " (2)"


def body(*attachments: Attachment) -> MessageBody:
    return MessageBody(
        id="msg-20260115T091530-a1b2c3", to=["machine-b"], subject="s", body="b", attachments=attachments
    )


def test_attachments_survive_the_way() -> None:
    said = body(Attachment(name="é", size=limits.BLOB_BYTES_MAX, sha256=bytes(32)))
    assert decode_message(encode(said)) == said


@pytest.mark.parametrize(
    "attachments",
    [
        [Attachment(name="a", size=1, sha256=bytes(32))] * (limits.ATTACHMENTS_MAX + 1),
        [Attachment(name="a", size=limits.BLOB_BYTES_MAX + 1, sha256=bytes(32))],
        [Attachment(name="a", size=-1, sha256=bytes(32))],
        [Attachment(name="", size=1, sha256=bytes(32))],
        [Attachment(name="a" * 201, size=1, sha256=bytes(32))],
        [Attachment(name="a", size=1, sha256=bytes(31))],
    ],
)
def test_attachments_that_break_a_bound_are_named(attachments: list[Attachment]) -> None:
    with pytest.raises(MalformedError) as caught:
        decode_message(encode(body(*attachments)))
    assert (caught.value.code, caught.value.details["field"]) == ("bad_message", "attachments")
