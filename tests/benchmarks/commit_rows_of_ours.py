"""Our own commits, in the rows of everybody else. To be filled in: this version has no commit log.

What has to be written is one class that is :class:`~tests.benchmarks.commit_rows.Committing` over
:class:`tests.helpers.fleet.Fleet` with three members, all voters; then :func:`run` is
``with Fleet.found(…) as fleet: add_rows(report, plan, OurCommits(fleet))``. The call is to be one that a user can make,
over the local API's socket with a connection that stays open, because the peers are asked over a connection too.
"""

from __future__ import annotations

from tests.benchmarks.commit_rows import SECTION
from tests.benchmarks.plan import Plan
from tests.benchmarks.results import Report

__all__ = ["run"]


def run(report: Report, _plan: Plan) -> None:
    """Says that there is nothing to measure."""
    report.skip(SECTION, "roosync", "this version has no commit log")
