"""``roosync-admin countersign`` and ``example-certs``."""

from __future__ import annotations

import os
from pathlib import Path

import click

from roosync_p2p.admin.arguments import parse_moment_s
from roosync_p2p.api.questions import require_yes
from roosync_p2p.api.terminal import Invocation, common_options

__all__ = ["countersign", "example_certs"]


@click.command()
@click.option("--yes", is_flag=True, help="Sign without asking.")
@common_options
def countersign(invocation: Invocation, yes: bool) -> None:
    """Let this machine's restored store begin again, with the root key.

    Needed when `roosync status` says that the node waits for a countersignature and no other issuer can give it.
    Sign only if you know why the store is behind: a copied home asks for the same.

    \b
    Examples:
      roosync-admin countersign
      roosync-admin countersign --yes --json
    """
    from roosync_p2p.adapters.home import Home  # noqa: PLC0415 - costs start-up time
    from roosync_p2p.admin.countersigning import (  # noqa: PLC0415 - the same
        countersign_renewal,
        renewal_lines,
        waiting_renewal,
    )
    from roosync_p2p.admin.passphrases import open_root_key  # noqa: PLC0415 - the same

    home = Home(invocation.home)
    waiting = waiting_renewal(home)
    invocation.progress("\n".join(renewal_lines(waiting)))
    if not yes:
        require_yes("Let this store begin again after these entries?", instead="--yes")
    countersign_renewal(home, waiting.renewal, root_key=lambda: open_root_key(home.path, os.environ))
    if invocation.as_json:
        invocation.print_json({"machine": waiting.renewal.machine, "incarnation": waiting.renewal.incarnation})
    else:
        invocation.print(f"{waiting.renewal.machine} goes on as incarnation {waiting.renewal.incarnation}")


@click.command("example-certs")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--seed-time", metavar="TIME", help="When everything was made. [default: 2026-01-01T00:00:00Z]")
@common_options
def example_certs(invocation: Invocation, folder: Path, seed_time: str | None) -> None:
    """What the key material of a fleet looks like; safe to publish.

    The same bytes in every run. Private keys are placeholders.

    \b
    Example:
      roosync-admin example-certs certs.example
    """
    from roosync_p2p.admin.examples import EXAMPLE_TIME_S, write_examples  # noqa: PLC0415 - costs start-up time

    names = write_examples(folder, wall_s=EXAMPLE_TIME_S if seed_time is None else parse_moment_s(seed_time))
    if invocation.as_json:
        invocation.print_json({"directory": str(folder), "files": names})
    else:
        invocation.print("\n".join(str(folder / name) for name in names))
