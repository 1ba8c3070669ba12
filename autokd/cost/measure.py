"""Throughput and latency of models in the serving runtime, timed in turn with the teacher.

The speed of a machine drifts and its other loads vary, so absolute times taken minutes apart are not
comparable. Each student is therefore timed between two blocks of the teacher, repeatedly. The *ratio*
of its time to the mean of these two blocks is kept, and

    student's throughput = teacher's pooled throughput / median ratio

Times are those of an image, because every model is served at a batch size of its own.

The interval of a student's cost is that of the median ratio, the teacher's that of its own pooled times.
Drift that affects teacher and students alike is not part of a student's interval, because it cancels in
every comparison that the verdict makes.

Models are timed in their served form. A time is the wall clock of one forward pass of a batch that is already
on the device, until the device has finished.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from autokd.cost.bench import Bench, Builder, Timed
from autokd.cost.dollars import serving_cost
from autokd.cost.fastest_runtime import serve_teacher
from autokd.cost.queueing import capacity_within
from autokd.cost.timing_stats import P99_SAMPLES, latency, median_interval, relative_half_width
from autokd.machine import Stopwatch
from autokd.progress import Listener, Silent
from autokd.records import CostModel, Interval, Latency, Precision, Reading, RuntimeName

WIDTH = 0.10  # half-width of an interval, relative, at which timing stops and above which a reading is noisy
MIN_ROUNDS = 6  # with fewer the median has no 95 % interval
MAX_ROUNDS = 12
GROUP = 4  # students that share the teacher's passes; the teacher's are the expensive ones
PASSES = 4  # of a student in one round, so that MIN_ROUNDS give its latency 24 samples
BLOCK_SECONDS = 0.02  # more passes, of the teacher too, where they are shorter than this together, up to MAX_PASSES
MAX_PASSES = 30
P99_PASSES = math.ceil(P99_SAMPLES / MIN_ROUNDS)  # of a student in one round, where there is time for so many
STUDENT_SECONDS = 3.0  # time for one student, after which it gets fewer passes and no more than MIN_ROUNDS
TEACHER_SAMPLES = 20


def measure(
    models: Mapping[str, Builder],
    teacher: str,
    model: CostModel,
    listener: Listener | None = None,
    max_latency_ms: float | None = None,
    max_rounds: int = MAX_ROUNDS,
) -> dict[str, Reading]:
    """Readings by name, the teacher's first; see Measurement."""
    listener = listener or Silent()
    measurement = Measurement(teacher, models[teacher], model, listener, max_latency_ms, max_rounds)
    students = {name: build for name, build in models.items() if name != teacher}
    return measurement.read(students, listener)


class Measurement:
    """A loaded teacher and the students timed against it so far.

    With `max_latency_ms` the capacity is the highest arrival rate whose p95 latency meets it; without, it is the
    throughput of full batches. Raises ConfigError for a teacher that cannot be served in this runtime, precision or
    image size.
    """

    def __init__(
        self,
        teacher: str,
        builder: Builder,
        model: CostModel,
        listener: Listener,
        max_latency_ms: float | None = None,
        max_rounds: int = MAX_ROUNDS,
        teacher_size: int | None = None,
    ) -> None:
        self._max_latency_ms, self._builder, self._teacher_size = max_latency_ms, builder, teacher_size
        self._max_rounds = max(max_rounds, MIN_ROUNDS)
        served = serve_teacher(teacher, builder, model, max_latency_ms is not None, teacher_size, listener)
        self._reference, self._bench, self.cost_model = served.teacher, served.bench, served.model
        self._compared: list[_Comparison] = []

    def read(self, students: Mapping[str, Builder], listener: Listener) -> dict[str, Reading]:
        """Readings of the teacher and of every student timed so far, these included.

        Students are built a few at a time and dropped again. A student that cannot run is named in a note to the
        listener and is not in the answer.
        """
        names = list(students)
        watch = Stopwatch()
        done = 0
        while done < len(names):
            loaded, looked_at = self._bench.load_all(names[done : done + GROUP], students, listener)
            self._compared += _compare(loaded, self._reference, self._max_rounds)
            done += looked_at
            left = watch.seconds / done * (len(names) - done)
            listener.advance("measuring serving cost", done, len(names), left)
        return self._readings()

    def read_form(self, runtime: RuntimeName, precision: Precision) -> Reading:
        """The teacher in another runtime and precision, timed in turn with itself; raises ConfigError if it cannot."""
        model = self.cost_model.model_copy(update={"runtime": runtime, "precision": precision})
        bench = Bench(model, self._max_latency_ms is not None)
        form = bench.load(self._reference.name, self._builder, self._teacher_size)
        (compared,) = _compare([form], self._reference, self._max_rounds)
        pooled = median_interval(self._reference.seconds).mean / self._reference.batch
        rounds, limit = len(compared.ratios), self._max_latency_ms
        return _reading(form, pooled, compared.ratio, rounds, model.for_teacher, limit)

    def _readings(self) -> dict[str, Reading]:
        reference = self._reference
        reference.block(max(0, _samples(reference) - len(reference.seconds)))
        own = median_interval(reference.seconds)
        pooled = own.mean / reference.batch
        relative = Interval(mean=1.0, low=own.low / own.mean, high=own.high / own.mean)
        timed = [(reference, relative, len(reference.seconds))]
        timed += [(one.student, one.ratio, len(one.ratios)) for one in self._compared]
        limit = self._max_latency_ms
        model = self.cost_model
        answers = [
            _reading(who, pooled, ratio, rounds, model.for_teacher if who is reference else model, limit)
            for who, ratio, rounds in timed
        ]
        return {answer.model: answer for answer in answers}


@dataclass
class _Comparison:
    """A student and, for every round, its time of an image divided by the teacher's."""

    student: Timed
    passes: int  # in every round
    ratios: list[float] = field(default_factory=list)

    @property
    def ratio(self) -> Interval:
        """The median ratio and its interval."""
        return median_interval(self.ratios)


def _compare(students: list[Timed], teacher: Timed, max_rounds: int) -> list[_Comparison]:
    """Time students between passes of the teacher until each interval is narrow, or time is up."""
    group = [_Comparison(student, _passes(student.run(student.batch))) for student in students]
    pending = list(group)
    watch = Stopwatch()
    teachers = max(1, _many(teacher.run(teacher.batch)))
    before = teacher.block(teachers)
    while pending:
        own = [one.student.block(one.passes) for one in pending]
        after = teacher.block(teachers)
        for one, seconds in zip(pending, own, strict=True):
            one.ratios.append(2 * seconds / (before + after))
        before = after
        rounds = MIN_ROUNDS if watch.seconds > STUDENT_SECONDS * len(group) else max_rounds
        pending = [one for one in pending if not _settled(one, rounds)]
    for student in students:
        student.drop()
    return group


def _settled(one: _Comparison, rounds: int) -> bool:
    narrow = len(one.ratios) >= MIN_ROUNDS and relative_half_width(one.ratio) <= WIDTH
    return narrow or len(one.ratios) >= rounds


def _passes(seconds: float) -> int:
    """Passes of a student in one round; one pass takes `seconds`."""
    affordable = int(STUDENT_SECONDS / MIN_ROUNDS / seconds)
    wanted = max(PASSES, _many(seconds))
    if affordable >= P99_PASSES:
        wanted = max(wanted, P99_PASSES)
    return max(1, min(wanted, affordable))


def _many(seconds: float) -> int:
    """Passes that fill a block; 0 where one alone is longer."""
    return min(MAX_PASSES, int(BLOCK_SECONDS / seconds))


def _samples(teacher: Timed) -> int:
    """Passes of the teacher altogether: enough for its p99 where there is time for so many."""
    seconds = teacher.run(teacher.batch)
    return P99_SAMPLES if P99_SAMPLES * seconds <= STUDENT_SECONDS else TEACHER_SAMPLES


def _reading(
    timed: Timed,
    teacher_seconds: float,
    ratio: Interval,
    rounds: int,
    model: CostModel,
    max_latency_ms: float | None,
) -> Reading:
    """The cost of a model that takes `ratio` times the teacher's pooled seconds for an image.

    Under a latency limit the batch is no larger than the server can answer in time.
    """
    batch, waits = timed.batch, latency(timed.seconds)
    if max_latency_ms is not None:
        batch, waits = _within(max_latency_ms, timed, waits)

    def capacity(share: float) -> float:
        seconds = teacher_seconds * share
        if max_latency_ms is None:
            return 1 / seconds
        scale = seconds * timed.batch / timed.by_batch[timed.batch]
        sizes = {size: s * scale for size, s in timed.by_batch.items() if size <= batch}
        return capacity_within(sizes, max_latency_ms)

    alone = teacher_seconds * timed.batch * timed.by_batch[1] / timed.by_batch[timed.batch]
    alone_seconds = Interval(mean=alone * ratio.mean, low=alone * ratio.low, high=alone * ratio.high, level=ratio.level)
    served = Interval(mean=capacity(ratio.mean), low=capacity(ratio.high), high=capacity(ratio.low), level=ratio.level)
    return Reading(
        model=timed.name,
        capacity_rps=served.mean,
        capacity_interval=served,
        latency_ms=waits,
        cost_usd_per_1k=serving_cost(served, alone_seconds, model),
        noisy=relative_half_width(ratio) > WIDTH,
        batch_size=batch,
        rounds=rounds,
        alone_seconds=alone_seconds,
        load_seconds=timed.load_seconds,
        peak_memory_bytes=timed.peak_memory_bytes,
        logit_difference=timed.logit_difference,
    )


def _within(limit_ms: float, timed: Timed, full: Latency) -> tuple[int, Latency]:
    """The largest batch whose p95 meets the limit, else the smallest; and its latency, scaled from the full batch's."""
    for size in sorted(timed.by_batch, reverse=True):
        share = timed.by_batch[size] / timed.by_batch[timed.batch]
        p99 = None if full.p99 is None else full.p99 * share
        waits = Latency(p50=full.p50 * share, p95=full.p95 * share, p99=p99)
        if waits.p95 <= limit_ms:
            break
    return size, waits
