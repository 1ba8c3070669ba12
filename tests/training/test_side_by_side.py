"""Training steps side by side in processes: how they are counted, and what is left out where one of them dies."""

from __future__ import annotations

import multiprocessing
import threading
from multiprocessing.connection import Connection

import pytest

from autokd.training import side_by_side
from autokd.training.side_by_side import Workload, listen, run_side_by_side, work

WORKLOAD = Workload("test_resnet", 3, 32, 4, "cpu")


def test_a_process_of_its_own_trains() -> None:
    found = run_side_by_side(WORKLOAD, [1], seconds=0.1)
    assert set(found) == {1} and found[1] > 0


def started(*workloads: Workload) -> list[Connection]:
    """These at work, in threads instead of processes; the ends that the controller has."""
    ends = [multiprocessing.Pipe() for _ in workloads]
    for (_, there), workload in zip(ends, workloads, strict=True):
        threading.Thread(target=work, args=(there, workload), daemon=True).start()
    return [here for here, _ in ends]


def test_every_number_counts_the_steps_of_all() -> None:
    connections = started(WORKLOAD, WORKLOAD)
    assert set(listen(connections, [1, 2, 4], 0.05)) == {1, 2}
    for connection in connections:
        connection.close()


def test_one_that_cannot_start_is_left_out() -> None:
    unknown = WORKLOAD._replace(image_size=-1)
    assert set(listen(started(unknown, WORKLOAD), [1, 2], 0.02)) == {1}
    assert listen(started(unknown), [1], 0.02) == {}


def test_one_that_dies_or_hangs_while_others_work_ends_the_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(side_by_side, "PATIENCE", 0.3)
    (lives,) = started(WORKLOAD)
    here, there = multiprocessing.Pipe()
    there.send(0.0)
    for _ in range(2):  # first it hangs, then it is gone
        found = listen([lives, here], [1, 2], 0.02)
        assert set(found) == {1}
        lives.close()
        (lives,) = started(WORKLOAD)
        there.close()
