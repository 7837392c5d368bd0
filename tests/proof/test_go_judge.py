"""An independent judge: the Go checksum database's library finds the same roots and proofs, and believes ours.

Debian: ``apt install golang-go golang-golang-x-mod-dev``. Skipped with the reason where they are missing.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import pytest

from roosync_p2p.ids import CommitNumber, Epoch
from roosync_p2p.proof.compact import CompactTree
from roosync_p2p.proof.hashing import leaf_hash
from roosync_p2p.proof.leaves import commit_leaf
from roosync_p2p.proof.proving import consistency_proof, inclusion_proof
from roosync_p2p.proof.subtrees import Subtrees

_PACKAGES: Final = Path("/usr/share/gocode")
_BUILD_S: Final = 60.0
_LEAVES: Final = [commit_leaf(CommitNumber(n), 1_768_467_330_000 + n, Epoch(1), b"\xff%d" % n) for n in range(1, 66)]
_CASES: Final = [
    (size, index, first)
    for size in (1, 2, 3, 4, 5, 7, 8, 9, 31, 32, 33, 65)
    for index, first in {(0, 1), (size - 1, size), (size // 2, max(1, size // 2)), (size // 3, max(1, size - 1))}
]


def _missing() -> str:
    if shutil.which("go") is None:
        return "go is not installed (Debian: apt install golang-go)"
    if not (_PACKAGES / "src/golang.org/x/mod/sumdb/tlog").is_dir():
        return "golang.org/x/mod is not installed (Debian: apt install golang-golang-x-mod-dev)"
    return ""


pytestmark = pytest.mark.skipif(bool(_missing()), reason=_missing())


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The compiled program."""
    folder = tmp_path_factory.mktemp("judge")
    source = folder / "judge.go"
    shutil.copy(Path(__file__).with_name("judge.go"), source)
    environ = {**os.environ, "GO111MODULE": "off", "GOPATH": str(_PACKAGES), "GOCACHE": str(folder / "cache")}
    subprocess.run(
        ["go", "build", "-o", "judge", "judge.go"],
        cwd=folder,
        env=environ,
        check=True,
        capture_output=True,
        timeout=_BUILD_S,
    )
    return folder / "judge"


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _texts(items: Iterable[bytes]) -> list[str]:
    return [_text(item) for item in items]


def _root(hashes: Iterable[bytes]) -> str:
    tree = CompactTree()
    tree.extend(hashes)
    return _text(tree.root())


def _question(size: int, index: int, first: int) -> dict[str, Any]:
    hashes = [leaf_hash(leaf) for leaf in _LEAVES[:size]]
    subtrees = Subtrees(lambda start, stop: hashes[start:stop])
    return {
        "Leaves": _texts(_LEAVES[:size]),
        "Index": index,
        "First": first,
        "Root": _root(hashes),
        "FirstRoot": _root(hashes[:first]),
        "Inclusion": _texts(inclusion_proof(subtrees, index, size)),
        "Consistency": _texts(consistency_proof(subtrees, first, size)),
    }


def _judged(judge: Path, questions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    lines = "\n".join(json.dumps(question) for question in questions)
    done = subprocess.run([judge], input=lines, capture_output=True, text=True, check=True, timeout=_BUILD_S)
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_another_library_finds_the_same_roots_and_proofs_and_believes_ours(judge: Path) -> None:
    questions = [_question(*case) for case in _CASES]
    for asked, judged in zip(questions, _judged(judge, questions), strict=True):
        assert judged["Included"] == judged["Continues"] == ""
        for field in ("Root", "FirstRoot", "Inclusion", "Consistency"):
            assert (judged[field] or []) == asked[field]


def test_another_library_does_not_believe_a_changed_root(judge: Path) -> None:
    changed = {**_question(9, 4, 5), "Root": _text(bytes(32))}
    (judged,) = _judged(judge, [changed])
    assert judged["Included"]
    assert judged["Continues"]
