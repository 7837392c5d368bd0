"""Names of the shared folder: what is ours parses to what made it, everything else is somebody else's."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roosync_p2p import limits
from roosync_p2p.adapters.shared_folder.paths import is_safe
from roosync_p2p.gossip.folder_paths import (
    ChainFile,
    FolderName,
    HeartbeatFile,
    LogFile,
    RevocationsFile,
    SegmentFile,
    certificates_path,
    heartbeat_path,
    parse_path,
    quarantine_path,
)
from roosync_p2p.ids import Chain, MachineId

AI, PO = MachineId("myia-ai-01"), MachineId("myia-po-2023")
SEGMENT = SegmentFile(owner=AI, author=AI, incarnation=1, chain=Chain("mail"), first=3, last=9)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        (HeartbeatFile(owner=AI), "p2p/v1/myia-ai-01/heartbeat"),
        (SEGMENT, "p2p/v1/myia-ai-01/entries/1/mail-3-9.seg"),
        (
            SegmentFile(owner=AI, author=PO, incarnation=2, chain=Chain("ledger"), first=1, last=1),
            "p2p/v1/myia-ai-01/relay/myia-po-2023/2/ledger-1-1.seg",
        ),
        (LogFile(owner=PO, epoch=0, first=1, last=256), "p2p/v1/myia-po-2023/log/0-1-256.seg"),
        (
            ChainFile(owner=PO, path="p2p/v1/myia-po-2023/certificates/0123456789abcdef.chain"),
            "p2p/v1/myia-po-2023/certificates/0123456789abcdef.chain",
        ),
        (
            RevocationsFile(owner=PO, path="p2p/v1/myia-po-2023/revocations/0123456789abcdef.list"),
            "p2p/v1/myia-po-2023/revocations/0123456789abcdef.list",
        ),
    ],
)
def test_a_name_and_its_path_are_one(name: FolderName, path: str) -> None:
    assert name.path == path
    assert parse_path(path) == name


@pytest.mark.parametrize(
    "path",
    [
        "p2p/v1/myia-ai-01/heartbeat (1)",
        "p2p/v1/myia-ai-01/heartbeat - Copy",
        "p2p/v1/myia-ai-01/entries/1/mail-3-9 (1).seg",
        "p2p/v1/myia-ai-01/entries/1/mail-3-9 (myia-po-2023's conflicted copy 2026-01-15).seg",
        "p2p/v1/myia-ai-01/entries/1/mail-9-3.seg",
        "p2p/v1/myia-ai-01/entries/1/mail-03-9.seg",
        "p2p/v1/myia-ai-01/entries/1/mail-3-99999.seg",
        "p2p/v1/myia-ai-01/entries/0/mail-3-9.seg",
        "p2p/v1/myia-ai-01/entries/1001/mail-3-9.seg",
        "p2p/v1/myia-ai-01/entries/1/post-3-9.seg",
        "p2p/v1/myia-ai-01/relay/myia-ai-01/1/mail-3-9.seg",
        "p2p/v1/MYIA-AI-01/heartbeat",
        "p2p/v1/con/heartbeat",
        "p2p/v1/../heartbeat",
        "p2p/v2/myia-ai-01/heartbeat",
        "p2p/v1/fleet",
        "p2p/v1/myia-ai-01/desktop.ini",
        "p2p/v1/myia-ai-01/tmp/1.part",
        "p2p/v1/myia-ai-01/log/0-1-9999.seg",
        "p2p/v1/myia-ai-01/certificates/0123.chain",
        "",
    ],
)
def test_what_is_none_of_ours_does_not_parse(path: str) -> None:
    assert parse_path(path) is None


@given(st.text(alphabet=string.printable + "é/\\", max_size=80))
def test_any_text_parses_or_does_not(text: str) -> None:
    """Accepted, and then it is the path of what was found; or None. Never an error."""
    found = parse_path(f"p2p/v1/myia-ai-01/{text}")
    assert found is None or found.path == f"p2p/v1/myia-ai-01/{text}"


def test_every_name_is_legal_on_every_platform_and_short() -> None:
    longest = MachineId("m" * 50)
    other = MachineId("n" * 50)
    names = [
        heartbeat_path(longest),
        certificates_path(longest, bytes(32)),
        quarantine_path(longest, bytes(32), "bin"),
        SegmentFile(
            owner=longest, author=other, incarnation=1000, chain=Chain("ledger"), first=10**17, last=10**17 + 9
        ).path,
    ]
    for path in names:
        assert all(is_safe(part) for part in path.split("/")), path
        assert path == path.lower()
        assert len(path) <= limits.FOLDER_PATH_CHARS_MAX
