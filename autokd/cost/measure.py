"""Throughput and latency of models in the serving runtime, timed in turn with the teacher.

The speed of a machine drifts and its other loads vary, so absolute times taken minutes apart are not
comparable. Each student is therefore timed between two blocks of the teacher, repeatedly. The *ratio*
of its time to the mean of these two blocks is kept, and

    student's throughput = teacher's pooled throughput / median ratio

Times are those of an image, because every model is served at a batch size of its own. Single requests, and under a
latency limit all smaller batches, are timed in the same rounds, so that each has an interval of its own.

The interval of a student's cost is that of the median ratio, the teacher's that of its own pooled times.
Drift that affects teacher and students alike is not part of a student's interval, because it cancels in
every comparison that the verdict makes.

Models are timed in their served form. A time is that of one forward pass of a batch that is already on the device,
until the device has finished: by the wall clock, on a GPU by its own events.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from autokd.cost.bench import Bench, Builder, Timed
from autokd.cost.dollars import serving_cost
from autokd.cost.fastest_runtime import serve_teacher
from autokd.cost.gpu_power import clocks_remark, drawn
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
SMALLER_PASSES = 2  # of each smaller batch in one round
BLOCK_SECONDS = 0.02  # more passes, of the teacher too, where they are shorter than this together, up to MAX_PASSES
MAX_PASSES = 30
P99_PASSES = math.ceil(P99_SAMPLES / MIN_ROUNDS)  # of a student in one round, where there is time for so many
STUDENT_SECONDS = 3.0  # time for one student, after which it gets fewer passes and no more than MIN_ROUNDS
TEACHER_SAMPLES = 20
Curve = Mapping[int, Interval]  # of a pass by batch size, in the teacher's seconds for an image


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
    throughput of full batches. processes: that may convert students side by side, until `close`; expected: students
    that are read in all, if that is known. Raises ConfigError for a teacher that cannot be served in this runtime,
    precision or image size.
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
        processes: int = 1,
        expected: int = 0,
    ) -> None:
        self._processes, self._expected, self._clocks_told = processes, expected, False
        self._max_latency_ms, self._builder, self._teacher_size = max_latency_ms, builder, teacher_size
        self._max_rounds = max(max_rounds, MIN_ROUNDS)
        served = serve_teacher(teacher, builder, model, max_latency_ms is not None, teacher_size, listener)
        self._reference, self._bench, self.cost_model = served.teacher, served.bench, served.model
        self._compared: list[_Comparison] = []
        self._own: _Comparison | None = None  # the teacher's smaller batches, timed in turn with its full one

    def read(self, students: Mapping[str, Builder], listener: Listener) -> dict[str, Reading]:
        """Readings of the teacher and of every student timed so far, these included.

        Students are built a few at a time and dropped again. A student that cannot run is named in a note to the
        listener and is not in the answer.
        """
        names = list(students)
        watch = Stopwatch()
        done = 0
        self._bench.convert_side_by_side(max(self._expected, len(names)), self._processes)
        while done < len(names):
            loaded, looked_at = self._bench.load_all(names[done : done + GROUP], students, listener)
            self._compared += self._compare(loaded)
            done += looked_at
            left = watch.seconds / done * (len(names) - done)
            listener.advance("measuring serving cost", done, len(names), left)
        readings = self._readings()
        self._tell_clocks(listener)
        return readings

    def close(self) -> None:
        """End the processes that convert; what was read stays."""
        self._bench.close()

    def _tell_clocks(self, listener: Listener) -> None:
        timed = [self._reference, *(one.student for one in self._compared)]
        remark = clocks_remark([one.drawn.clock_mhz for one in timed if one.drawn])
        if remark and not self._clocks_told:
            listener.note(remark)
            self._clocks_told = True

    def read_form(self, runtime: RuntimeName, precision: Precision) -> Reading:
        """The teacher in another runtime and precision, timed in turn with itself; raises ConfigError if it cannot."""
        model = self.cost_model.model_copy(update={"runtime": runtime, "precision": precision})
        bench = Bench(model, self._max_latency_ms is not None)
        form = bench.load(self._reference.name, self._builder, self._teacher_size)
        (compared,) = self._compare([form])
        pooled = median_interval(self._reference.seconds).mean / self._reference.batch
        return _reading(form, pooled, compared.curve, compared.rounds, model.for_teacher, self._max_latency_ms)

    def _compare(self, students: list[Timed]) -> list[_Comparison]:
        group = [_Comparison(one, _sizes(one, self._max_latency_ms is not None)) for one in students]
        _time_in_turn(group, self._reference, self._max_rounds)
        for one in students:
            self._draw(one)
            one.drop()
        return group

    def _draw(self, one: Timed) -> None:
        """Read the power that a loaded model draws, once."""
        one.drawn = one.drawn or drawn(lambda: one.run(one.batch), one.batch, self.cost_model.device)

    def _readings(self) -> dict[str, Reading]:
        reference = self._reference
        reference.block(max(0, _samples(reference) - len(reference.seconds)))
        self._draw(reference)
        own = median_interval(reference.seconds)
        pooled = own.mean / reference.batch
        limit, model = self._max_latency_ms, self.cost_model
        rounds = len(reference.seconds)
        answers = [_reading(reference, pooled, self._teachers_curve(own), rounds, model.for_teacher, limit)]
        answers += [_reading(one.student, pooled, one.curve, one.rounds, model, limit) for one in self._compared]
        return {answer.model: answer for answer in answers}

    def _teachers_curve(self, own: Interval) -> Curve:
        """own: seconds of its passes at the batch size that it is served with."""
        teacher = self._reference
        if self._own is None:
            self._own = _Comparison(teacher, _sizes(teacher, self._max_latency_ms is not None))
            _time_in_turn([self._own], teacher, MIN_ROUNDS)
        share = teacher.batch / own.mean
        served = Interval(mean=own.mean * share, low=own.low * share, high=own.high * share, level=own.level)
        return {**self._own.curve, teacher.batch: served}


@dataclass
class _Comparison:
    """A model and, for every round, the time of a pass at some batch sizes divided by the teacher's for an image."""

    student: Timed
    smaller: Sequence[int]  # batch sizes that are timed too
    ratios: dict[int, list[float]] = field(default_factory=lambda: defaultdict(list))

    @property
    def rounds(self) -> int:
        """How many there were."""
        return len(self.ratios[self.student.batch])

    @property
    def curve(self) -> Curve:
        """The median ratio at each batch size, with its interval."""
        return {size: median_interval(ratios) for size, ratios in sorted(self.ratios.items())}

    def run(self, passes: int) -> dict[int, float]:
        """Mean seconds of a pass by batch size."""
        seconds = {size: self._mean(size) for size in self.smaller}
        return {**seconds, self.student.batch: self.student.block(passes) * self.student.batch}

    def _mean(self, size: int) -> float:
        return sum(self.student.run(size) for _ in range(SMALLER_PASSES)) / SMALLER_PASSES


def _sizes(timed: Timed, every: bool) -> list[int]:
    """Batch sizes below the one that is served: every one that was tried, or a single request alone."""
    return [size for size in sorted(timed.by_batch) if size < timed.batch and (every or size == 1)]


def _time_in_turn(group: list[_Comparison], teacher: Timed, max_rounds: int) -> None:
    """Time students between passes of the teacher until each interval is narrow, or time is up."""
    passes = [_passes(one.student.run(one.student.batch)) for one in group]
    pending = list(zip(group, passes, strict=True))
    watch = Stopwatch()
    teachers = max(1, _many(teacher.run(teacher.batch)))
    before = teacher.block(teachers)
    while pending:
        own = [one.run(passes) for one, passes in pending]
        after = teacher.block(teachers)
        for (one, _), taken in zip(pending, own, strict=True):
            for size, seconds in taken.items():
                one.ratios[size].append(2 * seconds / (before + after))
        before = after
        rounds = MIN_ROUNDS if watch.seconds > STUDENT_SECONDS * len(group) else max_rounds
        pending = [(one, passes) for one, passes in pending if not _settled(one, rounds)]


def _settled(one: _Comparison, rounds: int) -> bool:
    narrow = one.rounds >= MIN_ROUNDS and relative_half_width(one.curve[one.student.batch]) <= WIDTH
    return narrow or one.rounds >= rounds


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
    timed: Timed, teacher_seconds: float, curve: Curve, rounds: int, model: CostModel, max_latency_ms: float | None
) -> Reading:
    """The cost of a model; teacher_seconds: the teacher's pooled ones for an image.

    Under a latency limit the batch is no larger than the server can answer in time.
    """
    batch, waits = timed.batch, latency(timed.seconds)
    if max_latency_ms is not None:
        batch, waits = _within(max_latency_ms, curve, waits)

    def capacity(end: Callable[[Interval], float]) -> float:
        if max_latency_ms is None:
            return batch / (teacher_seconds * end(curve[batch]))
        sizes = {size: teacher_seconds * end(ratio) for size, ratio in curve.items() if size <= batch}
        return capacity_within(sizes, max_latency_ms)

    full, one = curve[timed.batch], curve[1]
    alone, low, high = (teacher_seconds * each for each in (one.mean, one.low, one.high))
    alone_seconds = Interval(mean=alone, low=low, high=high, level=one.level)
    mean, least, most = capacity(lambda r: r.mean), capacity(lambda r: r.high), capacity(lambda r: r.low)
    served = Interval(mean=mean, low=least, high=most, level=full.level)
    return Reading(
        model=timed.name,
        capacity_rps=served.mean,
        capacity_interval=served,
        latency_ms=waits,
        cost_usd_per_1k=serving_cost(served, alone_seconds, model),
        noisy=relative_half_width(full) > WIDTH,
        batch_size=batch,
        rounds=rounds,
        alone_seconds=alone_seconds,
        load_seconds=timed.load_seconds,
        peak_memory_bytes=timed.peak_memory_bytes,
        energy_wh_per_1k=timed.drawn and timed.drawn.wh_per_1k,
        clock_mhz=timed.drawn and timed.drawn.clock_mhz,
        logit_difference=timed.logit_difference,
    )


def _within(limit_ms: float, curve: Curve, full: Latency) -> tuple[int, Latency]:
    """The largest batch whose p95 meets the limit, else the smallest; and its latency, scaled from the full batch's."""
    largest = max(curve)
    for size in sorted(curve, reverse=True):
        share = curve[size].mean / curve[largest].mean
        p99 = None if full.p99 is None else full.p99 * share
        waits = Latency(p50=full.p50 * share, p95=full.p95 * share, p99=p99)
        if waits.p95 <= limit_ms:
            break
    return size, waits
