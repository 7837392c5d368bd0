"""``python -m tests.benchmarks``: measures this machine, peers beside us, and prints a table a subject.

Everything runs on loopback in temporary directories, and is killed and removed at the end. A peer that is not installed
is left out with a reason. Nothing is asserted about time. The whole takes about twenty minutes; run it on a machine
that does nothing else.
"""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from roosync_p2p.errors import RoosyncError
from tests.benchmarks.etcd import etcd_missing, etcd_version
from tests.benchmarks.plan import QUICK, WHOLE, Plan
from tests.benchmarks.results import Report, load_average
from tests.benchmarks.serf import serf_missing, serf_version
from tests.benchmarks.syncthing import syncthing_missing, syncthing_version
from tests.helpers.forking import never_fork

__all__ = ["main"]

SECTIONS: Final = ("core", "commands", "join", "detection", "delivery", "attachments", "mailbox", "commit", "rest")


def main() -> None:
    """Runs the sections that were asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"of {', '.join(SECTIONS)}; all by default")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure there")
    parser.add_argument("--update", type=Path, metavar="PAGE", help="put the tables into docs/benchmarks.md")
    parser.add_argument("--quick", action="store_true", help="a few rounds each: whether it works, not what it costs")
    options = parser.parse_args()
    unknown = set(options.sections) - set(SECTIONS)
    if unknown:
        parser.error(f"there is no section {', '.join(sorted(unknown))}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by a signal"))  # so that what was started is ended too
    never_fork()
    report = Report()
    with tempfile.TemporaryDirectory(prefix="rbcompiled") as compiled:
        _like_installed(compiled)
        for section in options.sections or SECTIONS:
            print(f"{section}, load {load_average()[0]:.2f}", flush=True)
            _run(section, report, QUICK if options.quick else WHOLE)
    print("\n" + report.tables())
    if options.json is not None:
        report.write_json(options.json, _versions())
    if options.update is not None:
        report.update(options.update, _versions())


def _run(section: str, report: Report, plan: Plan) -> None:
    """One section; what goes wrong in it is told and costs only its own figures."""
    try:
        importlib.import_module(f"tests.benchmarks.bench_{section}").run(report, plan)
    except (AssertionError, OSError, RoosyncError, subprocess.SubprocessError) as error:
        report.skip(section, "roosync", f"failed: {str(error).splitlines()[0]}")


def _like_installed(compiled: str) -> None:
    """An installed package is compiled; a checkout may not be, and then every start pays for the compiler."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = compiled


def _versions() -> dict[str, str]:
    found = {}
    if not etcd_missing():
        found["etcd"] = etcd_version()
    if not serf_missing():
        found["serf"] = serf_version()
    if not syncthing_missing():
        found["syncthing"] = syncthing_version()
    return found


if __name__ == "__main__":
    main()
