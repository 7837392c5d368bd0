"""Worlds in which keys and memberships change: it happens, and every promise is kept all the same."""

from __future__ import annotations

import dataclasses

import pytest

from roosync_p2p.simulation.world import Outcome, Plan, World

_KEYS = dataclasses.replace(Plan(), folder_chance=1.0, keys_chance=1.0, certificates_chance=0.0)
_DATED = dataclasses.replace(Plan(), folder_chance=0.0, keys_chance=0.0, certificates_chance=1.0)
_NEITHER = dataclasses.replace(Plan(), keys_chance=0.0, certificates_chance=0.0)


def _run(seed: int, plan: Plan) -> Outcome:
    outcome = World(seed, plan=plan).run()
    assert [str(violation) for violation in outcome.violations] == []
    return outcome


@pytest.mark.parametrize(
    ("seed", "kind"),
    [
        (203, "files of the revoked in others' parts"),
        (201, "home from a backup"),
        (200, "issuer removed"),
    ],
)
def test_a_change_of_keys_happens_and_every_promise_is_kept(seed: int, kind: str) -> None:
    assert _run(seed, _KEYS).active[kind] >= 1


def test_certificates_run_out_and_are_renewed_late_and_nobody_is_wrongly_called_offline() -> None:
    active = _run(203, _DATED).active
    assert active["certificates that ran out"] == active["certificates renewed late"] == 1


def test_a_world_without_them_has_none() -> None:
    active = _run(201, _NEITHER).active
    assert not [kind for kind in active if "revoked" in kind or "certificates" in kind or "issuer" in kind]
