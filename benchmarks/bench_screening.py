"""Which student a search ends with, replayed on tables of students that were really trained (record_students.py).

Each repeat draws candidates from a table and noise on every accuracy that a search sees. What it ends with is what
autokd would confirm first: the cheapest student that is less accurate than the best trained to the end by no more than
a standard error of such a difference on the validation images. What a screening sees are the table's short trainings,
which are direct ones, for both arms. Regrets are told of the truth in the table: the accuracy that a student of its
cost or less has more (points), its cost over that of the cheapest student which is no more than 0.3 points less
accurate, and, so that cheapness alone does not look good, the points below the best candidate of all. All ways may
spend about as many epochs as the screening, except the last, which trains every candidate to the end: what it loses, no
search can keep.

With --looked-at fewer students than there are can be screened: those that come first by prior knowledge (fitted on the
other data sets of the tables), along the range of costs, or at random. With --relatives, where a table has fewer
students than candidates are asked for, relatives of them are made up, with other costs and accuracies; of these, prior
knowledge knows no more than of the student that they are relatives of.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import optuna
from timing import table

from autokd.records import ARMS
from autokd.tune.finalists import standard_error
from autokd.tune.prior_knowledge import Promising, most_promising_first, published_top1
from autokd.tune.short_list import Standing, margin_at, rungs, spread, staying

EQUAL = 0.003  # accuracies that differ by less are equal; --min-gain's default
VALIDATION_IMAGES = {"digits": 269, "images": 2000}  # of the shipped tables
RATES_TRIED = 2  # of each student on the short list
COST_OF_RELATIVES, ACCURACY_OF_RELATIVES = 0.3, 0.02  # standard deviations: of the logarithm, and absolute


@dataclass(frozen=True)
class Trained:
    """A student of a table: cost, validation accuracy after each epoch by learning rate, and what is true of it.

    looks: validation accuracy at the end of short direct trainings, by their epochs.
    images: on which validation accuracy was told.
    truth: the accuracy that the best of its learning rates ends with, on test images where all were evaluated on them.
    """

    name: str
    family: str
    cost: float
    curves: dict[float, tuple[float, ...]]
    looks: dict[int, float]
    truth: float
    images: int


Found = tuple[Trained, int]  # what a search ends with, and the epochs that it took
Way = Callable[[Sequence[Trained], np.random.Generator], Found]


def main(arguments: Sequence[str] | None = None) -> list[dict[str, object]]:
    """Replay and print."""
    asked = _parse(arguments)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    answers: list[dict[str, object]] = []
    all_tables = {name: students for path in asked.tables for name, students in read_tables(path).items()}
    for name, students in all_tables.items():
        screened = _screening(asked.short_list, asked.noise)
        if asked.looked_at:
            ways = _some_screened(asked, screened, _promises_of(name, all_tables))
        else:
            spent = round(np.mean([screened(pool, rng)[1] for pool, rng in _repeats(asked, students)]))
            ways = {
                "screening": screened,
                "random": _trials(spent, asked.noise, at_random=True),
                "TPE on students": _trials(spent, asked.noise, at_random=False),
                "all of them to the end": _all(asked.noise),
            }
        told = {"table": f"{name}, {len(students)} students"}
        answers += [told | _row(way, search, _repeats(asked, students)) for way, search in ways.items()]
    print(f"{asked.repeats} repeats of {asked.candidates} candidates, short list of {asked.short_list}\n")
    print(table(answers))
    return answers


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    folder = Path(__file__).parent
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=Path, nargs="+", default=[folder / "students.csv"])
    parser.add_argument("--candidates", type=int, default=40)
    parser.add_argument("--relatives", action="store_true", help="made up where a table has fewer candidates")
    parser.add_argument("--short-list", type=int, default=5)
    parser.add_argument("--looked-at", type=int, help="of the candidates, how many can be screened")
    parser.add_argument("--noise", type=float, default=0.005, help="standard deviation of an accuracy that is seen")
    parser.add_argument("--repeats", type=int, default=200)
    return parser.parse_args(arguments)


def read_tables(path: Path) -> dict[str, list[Trained]]:
    """By data and arm, the students that were trained at every learning rate; accuracies are means over seeds."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["val_accuracy"]]
    kinds = sorted({(row["data"], row["arm"]) for row in rows})
    return {", ".join((data, arm)): _students([row for row in rows if row["data"] == data], arm) for data, arm in kinds}


def _students(all_rows: Sequence[dict[str, str]], arm: str) -> list[Trained]:
    """all_rows: of one data set; the longest are the whole trainings."""
    whole = max(int(row["epochs"]) for row in all_rows)
    rows = [row for row in all_rows if row["arm"] == arm and int(row["epochs"]) == whole]
    short: dict[str, dict[int, float]] = {}
    for row in all_rows:
        if int(row["epochs"]) < whole:
            short.setdefault(row["student"], {})[int(row["epochs"])] = float(row["val_accuracy"].split()[-1])
    rates = {float(row["learning_rate"]) for row in rows}
    part = "test_accuracy" if all(row["test_accuracy"] for row in rows) else "val_accuracy"  # one for all students
    found = []
    for name in dict.fromkeys(row["student"] for row in rows):
        own = [row for row in rows if row["student"] == name]
        by_rate = {rate: [row for row in own if float(row["learning_rate"]) == rate] for rate in rates}
        if all(by_rate.values()):
            curves = {rate: _mean(row["val_accuracy"] for row in trained) for rate, trained in by_rate.items()}
            ends = [_mean(row[part] for row in trained)[-1] for trained in by_rate.values()]
            cost = float(np.median([float(row["serving_ms"]) for row in own]))
            images = VALIDATION_IMAGES[own[0]["data"]]
            looks = short.get(name, {})
            found.append(Trained(name, own[0]["family"], cost, curves, looks, max(ends), images))
    return found


def _mean(curves: Iterable[str]) -> tuple[float, ...]:
    """Epoch by epoch, of accuracies that are separated by spaces."""
    return tuple(np.mean([list(map(float, curve.split())) for curve in curves], axis=0))


def _repeats(asked: argparse.Namespace, students: list[Trained]) -> list[tuple[list[Trained], np.random.Generator]]:
    found = []
    for seed in range(asked.repeats):
        rng = np.random.default_rng(seed)
        drawn = rng.choice(len(students), min(asked.candidates, len(students)), replace=False)
        relatives = rng.choice(len(students), asked.candidates - len(drawn)) if asked.relatives else ()
        made_up = [_relative(students[i], number, rng) for number, i in enumerate(relatives)]
        found.append(([students[i] for i in sorted(drawn)] + made_up, rng))
    return found


def _relative(student: Trained, number: int, rng: np.random.Generator) -> Trained:
    """A student that learns as this one does, but is dearer or cheaper, better or worse."""
    cost, better = np.exp(rng.normal(0, COST_OF_RELATIVES)), rng.normal(0, ACCURACY_OF_RELATIVES)
    curves = {rate: tuple(np.clip(np.add(curve, better), 0, 1)) for rate, curve in student.curves.items()}
    looks = {epochs: float(np.clip(accuracy + better, 0, 1)) for epochs, accuracy in student.looks.items()}
    truth = float(np.clip(student.truth + better, 0, 1))
    name, cost = f"{student.name}#{number}", student.cost * float(cost)
    return replace(student, name=name, cost=cost, curves=curves, looks=looks, truth=truth)


def _screening(wanted: int, noise: float) -> Way:
    def search(pool: Sequence[Trained], rng: np.random.Generator) -> Found:
        epochs = _epochs(pool)
        steps, left, used = rungs(len(pool), wanted, epochs), list(pool), 0
        for number, (short, stay) in enumerate(steps):
            used += short * len(left)
            seen = {s.name: s.looks[short] + rng.normal(0, noise) for s in left}
            standings = [Standing(s.name, seen[s.name], s.cost, ARMS) for s in left]
            kept = staying(standings, stay, margin_at(number, len(steps), 0.95))
            left = [s for s in left if s.name in kept]
        return _pick(left, noise, rng), used + RATES_TRIED * epochs * len(left)

    return search


def _all(noise: float) -> Way:
    def search(pool: Sequence[Trained], rng: np.random.Generator) -> Found:
        return _pick(pool, noise, rng), RATES_TRIED * _epochs(pool) * len(pool)

    return search


def _promises_of(name: str, tables: dict[str, list[Trained]]) -> dict[str, float]:
    """By student, from a fit on the tables of other data sets; nothing is known where there are none."""
    from fit_prior_knowledge import counts_of, fit, others

    counts, elsewhere = counts_of({name: tables[name]}), others(name, tables)
    if not elsewhere:
        return dict.fromkeys((student.name for student in tables[name]), 0.0)
    fitted = fit(elsewhere, counts_of(elsewhere))
    return {s.name: fitted.promise(counts[s.name], published_top1(s.name)) for s in tables[name]}


def _some_screened(asked: argparse.Namespace, screened: Way, promised: dict[str, float]) -> dict[str, Way]:
    """Screenings of a part of the candidates that is chosen before any training."""

    def by_promise(pool: Sequence[Trained], rng: np.random.Generator) -> list[str]:  # noqa: ARG001
        return most_promising_first([Promising(s.name, promised[s.name.partition("#")[0]], s.cost) for s in pool])

    def along_costs(pool: Sequence[Trained], rng: np.random.Generator) -> list[str]:  # noqa: ARG001
        return spread([Standing(s.name, 0.0, s.cost, ARMS) for s in pool])

    def at_random(pool: Sequence[Trained], rng: np.random.Generator) -> list[str]:
        return [str(name) for name in rng.permutation([s.name for s in pool])]

    def way(order: Callable[[Sequence[Trained], np.random.Generator], list[str]]) -> Way:
        def search(pool: Sequence[Trained], rng: np.random.Generator) -> Found:
            first = order(pool, rng)[: asked.looked_at]
            return screened([student for student in pool if student.name in first], rng)

        return search

    return {"by prior knowledge": way(by_promise), "along the costs": way(along_costs), "at random": way(at_random)}


def _trials(epochs: int, noise: float, at_random: bool) -> Way:
    """Trials of one student and one rate each, as many as the epochs allow, none of them stopped early."""

    def search(pool: Sequence[Trained], rng: np.random.Generator) -> Found:
        rates = sorted(pool[0].curves)
        trials = max(1, epochs // _epochs(pool))
        sampler = optuna.samplers.TPESampler(
            seed=int(rng.integers(2**31)), n_startup_trials=trials if at_random else max(3, trials // 6)
        )
        study = optuna.create_study(direction="maximize", sampler=sampler)
        by_name = {student.name: student for student in pool}
        seen: dict[str, float] = {}
        for _ in range(trials):
            trial = study.ask()
            student = by_name[trial.suggest_categorical("student", sorted(by_name))]
            rate = rates[trial.suggest_int("rate", 0, len(rates) - 1)]
            accuracy = student.curves[rate][-1] + rng.normal(0, noise)
            study.tell(trial, accuracy)
            seen[student.name] = max(accuracy, seen.get(student.name, 0.0))
        return _cheapest_of_the_best(seen, by_name), trials * _epochs(pool)

    return search


def _epochs(pool: Sequence[Trained]) -> int:
    """Of every training of the table."""
    return len(next(iter(pool[0].curves.values())))


def _pick(students: Sequence[Trained], noise: float, rng: np.random.Generator) -> Trained:
    seen = {s.name: max(curve[-1] + rng.normal(0, noise) for curve in s.curves.values()) for s in students}
    return _cheapest_of_the_best(seen, {student.name: student for student in students})


def _cheapest_of_the_best(seen: dict[str, float], by_name: dict[str, Trained]) -> Trained:
    name = max(seen, key=seen.__getitem__)
    best = min(seen[name], 1.0)
    equal = max(EQUAL, standard_error(best, by_name[name].images))
    return min((by_name[name] for name, accuracy in seen.items() if accuracy >= best - equal), key=lambda s: s.cost)


def _row(name: str, way: Way, repeats: list[tuple[list[Trained], np.random.Generator]]) -> dict[str, object]:
    lost, dearer, below, used = [], [], [], []
    for pool, rng in repeats:
        found, epochs = way(pool, rng)
        lost.append(100 * (max(s.truth for s in pool if s.cost <= found.cost) - found.truth))
        dearer.append(found.cost / min(s.cost for s in pool if s.truth >= found.truth - EQUAL))
        below.append(100 * (max(s.truth for s in pool) - found.truth))
        used.append(epochs)
    return {
        "way": name,
        "epochs": f"{np.mean(used):.0f}",
        "points lost, median": f"{np.median(lost):.2f}",
        "90 %": f"{np.percentile(lost, 90):.2f}",
        "cost / cheapest equal, median": f"{np.median(dearer):.2f}",
        "90 % ": f"{np.percentile(dearer, 90):.2f}",
        "below the best, median": f"{np.median(below):.2f}",
        "90 %  ": f"{np.percentile(below, 90):.2f}",
    }


if __name__ == "__main__":
    main()
