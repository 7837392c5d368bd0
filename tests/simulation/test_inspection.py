"""What is read off a simulated machine."""

from __future__ import annotations

from roosync_p2p.ids import MachineId
from roosync_p2p.simulation.inspection import reads_farewell
from tests.helpers.folder_fleet import FolderFleet

B = MachineId("machine-b")


def test_a_farewell_is_read_only_where_the_heartbeat_file_is_one() -> None:
    fleet = FolderFleet("ab")
    fleet.run(60)
    path = "p2p/v1/machine-b/heartbeat"
    alive = fleet.folder("a").files[path]
    assert not reads_farewell(fleet.member("a"), B)
    fleet.member("b").leave()
    fleet.run(30)
    assert reads_farewell(fleet.member("a"), B)
    fleet.folder("a").files[path] = fleet.folder("a").files[path][:-1]
    assert not reads_farewell(fleet.member("a"), B), "half a file"
    fleet.folder("a").files[path] = alive
    assert not reads_farewell(fleet.member("a"), B)
    del fleet.folder("a").files[path]
    assert not reads_farewell(fleet.member("a"), B)
