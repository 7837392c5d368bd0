"""``python -m roosync_p2p``: the same as ``roosync``, for where the command is not on the path."""

from __future__ import annotations

import sys

from roosync_p2p.cli.main import main

__all__: list[str] = []

if __name__ == "__main__":
    sys.argv[0] = "roosync"  # what help and usage errors call the program
    raise SystemExit(main())
