"""A message: bounds that name the field, French and emoji as they were written, one ``Re: ``."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roosync_p2p import limits
from roosync_p2p.codec.records import encode
from roosync_p2p.errors import MalformedError
from roosync_p2p.ids import MachineId
from roosync_p2p.mailbox.message import TYPES, MessageBody, check_message, decode_message, reply_subject
from tests.helpers.trust import accepted_or_documented

_ID = "msg-20260115T091530-a1b2c3"
_MESSAGE = MessageBody(id=_ID, to=["machine-a"], subject="Bonjour", body="Ça marche ?")


def _message(**changes: Any) -> MessageBody:
    return msgspec.structs.replace(_MESSAGE, **changes)


@pytest.mark.parametrize(
    "text",
    [
        "Ça va ? L'été à Orléans, où l'on œuvre — « déjà » vu.",
        "👩‍💻🚀 fini\u202f!",
        "e\u0301 and é stay what they are",
        "two\nlines\tand a tab",
        "",
    ],
)
def test_a_text_arrives_as_it_was_written(text: str) -> None:
    assert decode_message(encode(_message(body=text))).body == text


def test_a_subject_in_french_arrives_as_it_was_written() -> None:
    assert decode_message(encode(_message(subject="Réunion à 9 h : « prêt » 🎉"))).subject.endswith("🎉")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("to", []),
        ("to", ["machine-a"] * (limits.RECIPIENTS_MAX + 1)),
        ("to", ["Machine-A"]),
        ("to", [" machine-a"]),
        ("subject", ""),
        ("subject", "x" * (limits.SUBJECT_CHARS_MAX + 1)),
        ("subject", "two\nlines"),
        ("subject", "\x1b[31mred"),
        ("priority", "high"),
        ("priority", ""),
        ("type", "Task"),
        ("type", ""),
        ("type", "x" * 65),
        ("tags", ("x",) * (limits.TAGS_MAX + 1)),
        ("tags", ("",)),
        ("tags", ("x" * (limits.TAG_CHARS_MAX + 1),)),
        ("tags", ("a\tb",)),
        ("thread", "x" * (limits.THREAD_ID_CHARS_MAX + 1)),
        ("thread", "a\x00b"),
        ("expires_ms", -1),
        ("ack_by_ms", limits.WALL_MS_MAX + 1),
        ("escalate", "Machine-A"),
        ("session", "x" * (limits.SESSION_CHARS_MAX + 1)),
    ],
)
def test_a_field_that_breaks_its_bound_is_named(field: str, value: object) -> None:
    with pytest.raises(MalformedError) as caught:
        check_message(_message(**{field: value}))
    assert (caught.value.code, caught.value.details) == ("bad_message", {"field": field})


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("id", "message 1", "bad_message_id"),
        ("in_reply_to", "message 1", "bad_message_id"),
        ("to", ["no machine!"], "bad_machine_id"),
        ("to", ["machine-a:"], "bad_workspace"),
        ("to", ["machine-a:" + "x" * (limits.WORKSPACE_CHARS_MAX + 1)], "bad_workspace"),
        ("to", ["machine-a:a\nb"], "bad_workspace"),
    ],
)
def test_a_name_that_is_none_is_refused(field: str, value: object, code: str) -> None:
    with pytest.raises(MalformedError) as caught:
        check_message(_message(**{field: value}))
    assert caught.value.code == code


@pytest.mark.parametrize(
    "changes",
    [
        {"to": ["machine-a"] * limits.RECIPIENTS_MAX},
        {"subject": "x" * limits.SUBJECT_CHARS_MAX},
        {"tags": ("x" * limits.TAG_CHARS_MAX,) * limits.TAGS_MAX},
        {"thread": "thread-20260115-config-sync"},
        {"type": "type.of_the-future"},
        {"to": ["all"]},
        {"to": ["all:Mon projet"]},
        {"to": ["machine-a:écurie"]},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_what_is_at_its_bound_is_accepted(changes: dict[str, Any]) -> None:
    check_message(_message(**changes))


@pytest.mark.parametrize("type_", TYPES)
def test_every_documented_type_is_accepted(type_: str) -> None:
    check_message(_message(type=type_))


def test_a_message_that_breaks_a_bound_is_refused_on_the_way_in() -> None:
    with pytest.raises(MalformedError):
        decode_message(encode(_message(priority="NOW")))


def test_a_first_message_names_its_own_thread() -> None:
    assert (_MESSAGE.thread_id, _message(thread="t").thread_id) == (_ID, "t")


@pytest.mark.parametrize(
    ("to", "boxes"),
    [
        (["machine-a"], ("",)),
        (["machine-a:web"], ("web",)),
        (["machine-a", "machine-a:web", "all:api"], ("", "api", "web")),
        (["all"], ("",)),
        (["machine-b"], ()),
        (["machine-b:web", "all:web"], ("web",)),
    ],
)
def test_a_message_belongs_into_the_boxes_it_is_addressed_to(to: list[str], boxes: tuple[str, ...]) -> None:
    assert _message(to=to).boxes(MachineId("machine-a")) == boxes


@pytest.mark.parametrize(
    ("subject", "reply"),
    [
        ("Hello", "Re: Hello"),
        ("Re: Hello", "Re: Hello"),
        ("re: RE : Re:Hello", "Re: Hello"),
        ("  Re: Hello", "Re: Hello"),
        ("Regarding", "Re: Regarding"),
        ("Reply: re: x", "Re: Reply: re: x"),
    ],
)
def test_an_answer_has_exactly_one_re(subject: str, reply: str) -> None:
    assert reply_subject(subject) == reply


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=limits.SUBJECT_CHARS_MAX))
def test_the_subject_of_an_answer_is_a_subject_and_answers_of_answers_do_not_grow(subject: str) -> None:
    reply = reply_subject(subject)
    check_message(_message(subject=reply))
    assert reply_subject(reply) == reply


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_a_documented_error(data: bytes) -> None:
    accepted_or_documented(lambda: decode_message(data))
