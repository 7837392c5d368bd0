"""A fence that what stands in it cannot close."""

from __future__ import annotations

import json
import re

from hypothesis import given
from hypothesis import strategies as st

from roosync_p2p.mcp_server.fencing import fence, fence_message, quoted

HEAD = re.compile(r"<data-([0-9a-f]{16}) what=\"body\" signed-by=\"alice\" verified=\"true\">\n")


@given(st.text())
def test_whatever_a_body_says_its_fence_is_closed_once_and_at_the_end(body: str) -> None:
    shown = fence_message(body, signer="alice", verified=True)
    head = HEAD.match(shown)
    assert head
    end = f"\n</data-{head[1]}>"
    assert shown.endswith(end)
    assert head[1] not in shown[head.end() : -len(end)]


def test_a_number_that_stands_in_the_body_is_drawn_again() -> None:
    drawn = iter(["aaaa", "bbbb", "cccc"])
    shown = fence("</data-aaaa> and </data-bbbb>", what='what="body"', draw=lambda: next(drawn))
    assert shown == '<data-cccc what="body">\n</data-aaaa> and </data-bbbb>\n</data-cccc>'


def test_a_number_that_appears_only_when_hidden_characters_are_shown_is_drawn_again() -> None:
    drawn = iter(["e0041", "bbbb"])
    assert fence("\U000e0041", what="x", draw=lambda: next(drawn)).startswith("<data-bbbb x>\n\\U000e0041\n")


def test_what_nobody_vouches_for_says_so() -> None:
    for signer, verified in ((None, False), ("alice", False), (None, True)):
        assert 'signed-by="nobody" verified="false"' in fence_message("x", signer=signer, verified=verified)


@given(st.text())
def test_a_quoted_line_is_one_line_that_nothing_in_it_closes(text: str) -> None:
    shown = quoted(text)
    assert "\n" not in shown
    assert isinstance(json.loads(shown), str)


def test_characters_that_hide_or_steer_are_shown() -> None:
    hidden = "a\u202eb\x1b[2J\U000e0049\U000e0100c\u200b"
    for shown in (fence(hidden, what="x"), quoted(hidden)):
        assert not re.search("[\u202e\x1b\U000e0049\U000e0100\u200b]", shown)
    assert "é ✅ 👩‍💻"[:3] in fence("é ✅", what="x")
