"""A thread as a tree: who answered whom (docs/protocol/messages.md §5)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from roosync_p2p import limits

__all__ = ["Placed", "Post", "arrange", "cited_commits"]

# Not within a word, a link or an entity: "PR#42", "…/issues#42" and "&#42;" cite nothing.
_CITED: Final = re.compile(r"(?<![\w#&/])#([1-9][0-9]{0,14})\b")


class Post(NamedTuple):
    """One message: ``key`` names it alone, ``id`` as users and answers do; two senders may have drawn the same."""

    key: bytes
    id: str
    answers: str | None
    time_ms: int


class Placed(NamedTuple):
    """A message in its place of the tree; ``depth`` 0 for one that answers nothing here."""

    key: bytes
    depth: int


def arrange(posts: Iterable[Post]) -> list[Placed]:
    """Every message once, answers below what they answer, each level oldest first by its senders' clocks.

    An answer to what is not here, or to itself by a detour, stands by itself.
    """
    ordered = sorted(posts, key=lambda post: (post.time_ms, post.key))
    named: dict[str, bytes] = {}
    for post in ordered:
        named.setdefault(post.id, post.key)
    below: dict[bytes, list[Post]] = {}
    tops: list[Post] = []
    for post in ordered:
        above = None if post.answers is None else named.get(post.answers)
        if above is None or above == post.key:
            tops.append(post)
        else:
            below.setdefault(above, []).append(post)
    placed: dict[bytes, Placed] = {}
    for top in (*tops, *ordered):  # what nobody reached from a top answers itself by a detour
        for found in _walk(top, below, placed):
            placed[found.key] = found
    return list(placed.values())


def _walk(top: Post, below: dict[bytes, list[Post]], placed: dict[bytes, Placed]) -> Iterator[Placed]:
    """Depth first, with a list: a thread may be deeper than Python's stack."""
    waiting = [(top, 0)]
    while waiting:
        post, depth = waiting.pop()
        if post.key in placed:
            continue
        yield Placed(post.key, depth)
        waiting += [(answer, depth + 1) for answer in reversed(below.get(post.key, ()))]


def cited_commits(texts: Iterable[str]) -> list[int]:
    """The commit numbers that texts cite as ``#42``, each once, ascending; the lowest of very many."""
    found = {int(number) for text in texts for number in _CITED.findall(text)}
    return sorted(found)[: limits.CITED_COMMITS_MAX]
