"""``python -m tests.consensus.scenarios [--record] FILE…``: shows or records what a story shows now."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.consensus.player import play


def main(arguments: list[str]) -> None:
    """Plays the files, and with ``--record`` writes what was seen into them."""
    record = "--record" in arguments
    for name in arguments:
        if name == "--record":
            continue
        path = Path(name)
        played = play(path.read_text(encoding="utf-8"))
        if record:
            path.write_text(played, encoding="utf-8")
        else:
            sys.stdout.write(played)


if __name__ == "__main__":
    main(sys.argv[1:])
