"""Records the frozen example of a commit log's tree: ``python -m tests.vectors.record_proof``.

A difference to what is on disk is a change of the protocol, and never an accident.
"""

from __future__ import annotations

import json
from typing import Any, Final

from roosync_p2p.ids import CommitNumber, Epoch
from roosync_p2p.proof.compact import CompactTree
from roosync_p2p.proof.hashing import leaf_hash
from roosync_p2p.proof.leaves import commit_leaf
from roosync_p2p.proof.proving import consistency_proof, inclusion_proof
from roosync_p2p.proof.subtrees import Subtrees
from tests.vectors.record_entries import FOLDER

__all__ = ["proof"]

_COUNT: Final = 7
_TIME_MS: Final = 1_768_467_330_000


def proof() -> dict[str, Any]:
    """Seven commits in two epochs, their roots, all inclusion proofs in the last tree and all continuations to it."""
    commits, hashes, roots = [], [], []
    tree = CompactTree()
    for number in range(1, _COUNT + 1):
        time_ms, epoch, signed = _TIME_MS + 250 * number, 1 + number // 6, b"\xff" + f"commit {number}".encode()
        leaf = commit_leaf(CommitNumber(number), time_ms, Epoch(epoch), signed)
        hashes.append(leaf_hash(leaf))
        tree.append(hashes[-1])
        roots.append(tree.root().hex())
        shown = {"number": number, "time_ms": time_ms, "epoch": epoch, "signed": signed.hex()}
        commits.append({**shown, "leaf": leaf.hex(), "hash": hashes[-1].hex()})
    subtrees = Subtrees(lambda start, stop: hashes[start:stop])
    return {
        "commits": commits,
        "roots": roots,
        "edge": tree.dump().hex(),
        "inclusion": [[step.hex() for step in inclusion_proof(subtrees, at, _COUNT)] for at in range(_COUNT)],
        "consistency": [
            [step.hex() for step in consistency_proof(subtrees, size, _COUNT)] for size in range(_COUNT + 1)
        ],
    }


if __name__ == "__main__":
    text = json.dumps(proof(), indent=1, ensure_ascii=False) + "\n"
    (FOLDER / "proof.json").write_text(text, encoding="utf-8", newline="\n")
