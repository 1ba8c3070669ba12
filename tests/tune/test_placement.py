"""How many trainings run side by side on a CPU."""

from __future__ import annotations

from pathlib import Path

import pytest

from autokd.machine import _left_of_limits, available_memory, own_memory
from autokd.tune.placement import choose, pack, thread_counts

GB = 10**9
SMALL = {1: 1.0, 2: 0.7, 4: 0.6}  # seconds of a step of a model that hardly gains from threads


def test_thread_counts_are_powers_of_two_and_all_cores() -> None:
    assert [thread_counts(cores) for cores in (1, 2, 6, 8)] == [[1], [1, 2], [1, 2, 4, 6], [1, 2, 4, 8]]


def test_small_models_run_side_by_side_with_few_threads() -> None:
    found = choose(SMALL, 4, jobs=24, work=1e4, memory=(GB, 64 * GB))
    assert (found.workers, found.threads) == (4, 1)
    assert "4 trainings run at a time, with one thread each: that does 2.4 times the work of one with 4" in found.reason


def test_models_that_use_all_threads_run_alone() -> None:
    found = choose({1: 4.0, 2: 2.0, 4: 1.0}, 4, jobs=24, work=1e4, memory=(GB, 64 * GB))
    assert (found.workers, found.threads) == (1, 4)
    assert "would gain little" in found.reason


@pytest.mark.parametrize(("available", "workers"), [(64, 4), (3, 2), (1, 1)])
def test_memory_bounds_the_number(available: int, workers: int) -> None:
    found = choose(SMALL, 4, jobs=24, work=1e4, memory=(GB, available * GB))
    assert found.workers == workers


def test_no_more_run_than_there_are() -> None:
    assert choose(SMALL, 4, jobs=2, work=1e4, memory=(GB, 64 * GB)).workers == 2


def test_short_searches_start_no_processes() -> None:
    found = choose(SMALL, 4, jobs=24, work=10, memory=(GB, 64 * GB))
    assert (found.workers, found.reason) == (1, "Trainings run one at a time, because they are short.")


def test_a_container_leaves_what_its_limit_leaves(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text("1000\n")
    (tmp_path / "memory.current").write_text("900\n")
    (tmp_path / "memory.stat").write_text("anon 100\ninactive_file 700\n")
    assert list(_left_of_limits(tmp_path)) == [800]
    (tmp_path / "memory.max").write_text("max\n")
    assert list(_left_of_limits(tmp_path)) == []
    older = tmp_path / "memory"
    older.mkdir()
    for name, text in (("memory.limit_in_bytes", "5000"), ("memory.usage_in_bytes", "4000")):
        (older / name).write_text(text)
    (older / "memory.stat").write_text("total_inactive_file 10\n")
    assert list(_left_of_limits(tmp_path)) == [1010]


def test_this_process_has_taken_memory_and_may_take_more() -> None:
    assert own_memory() > 10**7
    assert available_memory() > 10**7


# ---- on GPUs ----------------------------------------------------------------------------------------------------

ROOM = [(GB, 64 * GB), (GB, 64 * GB)]  # of the GPU, and of the machine
RATES = {1: 10.0, 2: 18.0, 4: 25.0}  # steps a second of all


@pytest.mark.parametrize(
    ("rates", "gpus", "jobs", "memory", "workers"),
    [
        (RATES, 1, 24, ROOM, 4),
        (RATES, 2, 24, ROOM, 8),
        (RATES, 2, 6, ROOM, 4),  # no more than three on each
        (RATES, 4, 2, ROOM, 4),
        (RATES, 1, 24, [(20 * GB, 64 * GB), ROOM[1]], 2),
        (RATES, 1, 24, [ROOM[0], (60 * GB, 64 * GB)], 1),
        ({1: 10.0, 2: 18.0, 4: 17.0}, 1, 24, ROOM, 2),
        ({1: 10.0, 2: 10.5, 4: 10.9}, 1, 24, ROOM, 1),  # a student that fills the GPU
        ({1: 10.0}, 1, 24, ROOM, 1),  # a second process did not fit
        ({}, 2, 24, ROOM, 2),  # nothing could be measured
    ],
)
def test_small_trainings_share_a_gpu_where_that_does_more_work(
    rates: dict[int, float], gpus: int, jobs: int, memory: list[tuple[int, int]], workers: int
) -> None:
    assert pack(rates, gpus, jobs, 8, memory)[:2] == (workers, 8)


def test_the_reason_is_said() -> None:
    assert pack(RATES, 1, 24, 8, ROOM).reason == (
        "4 trainings run at a time on the GPU: that does 2.5 times the work of one (measured)."
    )
    assert pack({1: 1.0}, 2, 24, 8, ROOM).reason == (
        "One training at a time runs on each of the 2 GPUs: more at a time would gain little."
    )
