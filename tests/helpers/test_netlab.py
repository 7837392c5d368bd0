"""The lab's faults are real: what is cut does not get through, what is dropped is counted."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.helpers.netlab import Lab, netlab_missing

_MISSING = netlab_missing()
pytestmark = [pytest.mark.root, pytest.mark.skipif(bool(_MISSING), reason=_MISSING or "available")]

_FLOOD = """
import socket, sys
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(500):
    sender.sendto(b"x", (sys.argv[1], 9))
"""


def test_faults_are_active_counted_and_healed() -> None:
    with Lab(3) as lab:
        assert lab.reaches(0, 1)
        assert lab.reaches(2, 1)
        lab.cut(1, outgoing=False, peer=0)
        assert lab.reaches(2, 1)
        assert not lab.reaches(0, 1)
        lab.cut(1)
        assert not lab.reaches(2, 1)
        lab.heal(1)
        assert lab.reaches(0, 1)
        assert lab.dropped(1) == 0
        lab.loss(1, 20)
        lab.check_output(0, [sys.executable, "-I", "-S", "-c", _FLOOD, lab.address(1)])
        assert 50 < lab.dropped(1) < 200
        lab.heal(1)
        lab.unplug(2, carrier=True)
        lab.heal(2)
        assert lab.reaches(2, 0)


def test_a_lab_leaves_nothing_behind() -> None:
    with Lab(1) as lab:
        process = lab.run(0, ["sleep", "1000"])
        name = lab.namespace(0)
    assert process.returncode is not None
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True)
    assert name not in listed.stdout
