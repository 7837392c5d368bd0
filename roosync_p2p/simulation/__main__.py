"""``python -m roosync_p2p.simulation``: seeded worlds, text scenarios, long runs, mutants."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Final

import click

from roosync_p2p.errors import UsageError
from roosync_p2p.simulation.large import LargeFleet
from roosync_p2p.simulation.mutants import MUTANTS
from roosync_p2p.simulation.runner import Tally, run_seeds
from roosync_p2p.simulation.scenario import play_file
from roosync_p2p.simulation.world import Plan

__all__ = ["main"]

SLICE_HOURS = 4.0  # a long run is cut into worlds of this length, each with its own seed
VIOLATIONS_SHOWN = 5  # of one seed; the first says the most


_KINDS: Final = {
    "seeds": "--seeds",
    "mutant": "--mutant",
    "hours": "--hours",
    "machines": "--machines",
    "scenarios": "--scenario",
    "members": "--members",
}
_APART: Final = (
    *({one, "scenarios"} for one in ("seeds", "mutant", "hours", "machines", "members")),
    *({one, "members"} for one in ("seeds", "mutant", "hours", "machines")),
    {"seeds", "hours"},
    {"mutant", "hours"},
    {"mutant", "machines"},
    {"seeds", "machines"},
)


@click.command()
@click.option("--seeds", type=click.IntRange(1), default=50, show_default=True, help="How many worlds to run.")
@click.option("--first", type=click.IntRange(0), default=0, show_default=True, help="The first seed.")
@click.option("--jobs", type=click.IntRange(1), default=1, show_default=True, help="Processes.")
@click.option("--mutant", type=click.Choice(sorted(MUTANTS)), help="Run broken nodes until a checker finds them.")
@click.option(
    "--hours", type=click.FloatRange(0, min_open=True), help="Instead: long runs, together so many virtual hours."
)
@click.option("--machines", type=click.IntRange(2, 24), default=3, show_default=True, help="Of the long runs.")
@click.option(
    "--scenario",
    "scenarios",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    multiple=True,
    help="Instead: play a text scenario; may be given more than once.",
)
@click.option("--members", type=click.IntRange(8, 300), help="Instead: one large fleet, and what it costs.")
@click.option("-v", "--verbose", is_flag=True, help="A line for each seed.")
@click.pass_context
def main(
    context: click.Context,
    /,
    seeds: int,
    first: int,
    jobs: int,
    mutant: str | None,
    hours: float | None,
    machines: int,
    scenarios: tuple[Path, ...],
    members: int | None,
    verbose: bool,
) -> None:
    """Runs the nodes of whole fleets in virtual time, breaks what can break, and checks every promise."""
    _refuse_both(context)
    if scenarios:
        raise SystemExit(_play(scenarios, verbose=verbose))
    if members is not None:
        raise SystemExit(_run_large(members, first))
    if hours is not None:
        if math.isnan(hours):
            raise click.BadParameter("'nan' is not a number", param_hint="'--hours'")
        slices = max(1, math.ceil(hours / SLICE_HOURS))
        plan = Plan.of_hours(hours / slices, machines)
        one = f"--hours {hours / slices!r} --machines {machines}"
        raise SystemExit(_run(range(first, first + slices), jobs, plan=plan, one=one, verbose=verbose))
    if mutant is not None:
        raise SystemExit(_hunt(mutant, range(first, first + seeds), jobs))
    raise SystemExit(_run(range(first, first + seeds), jobs, plan=None, one="--seeds 1", verbose=verbose))


def _run_large(members: int, seed: int) -> int:
    report = LargeFleet(members, seed).run()
    for line in report.lines():
        click.echo(line)
    for violation in report.violations[:VIOLATIONS_SHOWN]:
        click.echo(f"seed {seed}: {violation}")
    click.echo(f"{len(report.violations)} promises were broken" if report.violations else "all promises were kept")
    return 1 if report.violations else 0


def _refuse_both(context: click.Context) -> None:
    """Of what would be done instead of each other only one can be asked for."""
    given = [name for name in _KINDS if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE]
    for pair in _APART:
        if pair <= set(given):
            raise click.UsageError(
                f"{' and '.join(_KINDS[name] for name in _KINDS if name in pair)} exclude each other"
            )


def _run(seeds: range, jobs: int, *, plan: Plan | None, one: str, verbose: bool) -> int:
    """``one`` is what besides ``--first`` makes a run of one seed the same as here."""
    tally = Tally()
    for outcome in run_seeds(seeds, plan=plan, jobs=jobs):
        tally.add(outcome)
        if verbose:
            active = ", ".join(f"{kind} {count}" for kind, count in sorted(outcome.active.items()))
            click.echo(f"seed {outcome.seed} {outcome.digest[:12]} {outcome.virtual_s:.0f} s: {active}")
        for violation in outcome.violations[:VIOLATIONS_SHOWN]:
            click.echo(f"seed {outcome.seed}: {violation}")
        if outcome.violations:
            more = len(outcome.violations) - VIOLATIONS_SHOWN
            rest = f" ({more} more)" if more > 0 else ""
            click.echo(f"  replay: python -m roosync_p2p.simulation --first {outcome.seed} {one} -v{rest}")
    for line in tally.lines():
        click.echo(line)
    # A plan of its own has its own measure.
    never, few = (tally.never_active(), tally.too_few()) if plan is None else ([], [])
    if never:
        click.echo(f"failed: never active in {tally.seeds} seeds: {', '.join(never)}")
    if few:
        click.echo(f"failed: too little in {tally.seeds} seeds: {', '.join(few)}")
    click.echo(f"{len(tally.failed)} of {tally.seeds} seeds failed" if tally.failed else "all promises were kept")
    return 1 if tally.failed or never or few else 0


def _hunt(mutant: str, seeds: range, jobs: int) -> int:
    """A mutant that is found is a success of the checkers, and a failure of the node: exit code 1 as for any node."""
    for count, outcome in enumerate(run_seeds(seeds, mutant=mutant, jobs=jobs, until_found=True), 1):
        if outcome.violations:
            click.echo(f"{mutant}: found after {count} seeds, by seed {outcome.seed}: {outcome.violations[0]}")
            click.echo(f"  replay: python -m roosync_p2p.simulation --mutant {mutant} --first {outcome.seed} --seeds 1")
            return 1
    click.echo(f"{mutant}: not found in {len(seeds)} seeds")
    return 0


def _play(paths: tuple[Path, ...], *, verbose: bool) -> int:
    failed = 0
    for path in paths:
        try:
            result = play_file(path)
        except UsageError as error:
            raise click.ClickException(f"{path}: {error}") from error
        if verbose or result.failures:
            for line in result.log:
                click.echo(line)
        for failure in result.failures:
            click.echo(f"{path}: {failure}")
        failed += bool(result.failures)
        click.echo(f"{path}: {'failed' if result.failures else 'as told'}")
    return 1 if failed else 0


if __name__ == "__main__":
    main()
