"""Ways to propose students, replayed on a table of students that were really trained (record_students.py).

Regret is the best accuracy in the table minus the best that was found after so many trials, in points; its mean over
seeds with a 95 % interval. Every way but `random` is Optuna's TPE as the ledger uses it; they differ in what it sees.
"""

from __future__ import annotations

import argparse
import csv
import math
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import optuna
from places import Places, Student
from timing import table

Row = tuple[Student, float, float]  # learning rate, accuracy
Draw = Callable[[optuna.Trial], str]
TRIALS = (4, 8, 12, 24, 48)


def main(arguments: Sequence[str] | None = None) -> list[dict[str, object]]:
    """Replay and print."""
    asked = _parse(arguments)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    rows = read_table(asked.table)
    students = {student.name: student for student, _, _ in rows}
    print(
        f"{len(students)} students, {len(rows)} trainings, {asked.seeds} seeds; regret in points after so many trials\n"
    )
    places, by_size = Places(list(students.values())), sorted(students, key=lambda name: (students[name].size, name))
    ways: dict[str, Draw] = {
        "random": lambda trial: str(trial.suggest_categorical("student", by_size)),
        "flat list": lambda trial: str(trial.suggest_categorical("student", by_size)),
        "rank of size": lambda trial: by_size[trial.suggest_int("rank", 0, len(by_size) - 1)],
        "family and size": places.draw,
    }
    answers: list[dict[str, object]] = []
    for name, draw in ways.items():
        regrets = np.array(
            [_replay(rows, draw, name == "random", seed, max(asked.trials)) for seed in range(asked.seeds)]
        )
        answers.append({"way": name, **{f"{n} trials": _interval(regrets[:, n - 1]) for n in asked.trials}})
    print(table(answers))
    return answers


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", type=Path, default=Path(__file__).parent / "students.csv")
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--trials", type=int, nargs="+", default=list(TRIALS))
    return parser.parse_args(arguments)


def read_table(path: Path) -> list[Row]:
    """Trainings that came to an end, of students that were trained at every learning rate."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["val_accuracy"]]
    rates = {row["learning_rate"] for row in rows}
    times = Counter(row["student"] for row in rows)
    return [
        (
            Student(row["student"], row["family"], float(row["parameters"])),
            float(row["learning_rate"]),
            float(row["val_accuracy"].split()[-1]),
        )
        for row in rows
        if times[row["student"]] == len(rates)
    ]


def _replay(rows: Sequence[Row], draw: Draw, at_random: bool, seed: int, trials: int) -> npt.NDArray[np.float64]:
    """Regret in points after 1, 2, ... trials of one search."""
    known = {(student.name, rate): accuracy for student, rate, accuracy in rows}
    rates = sorted({rate for _, rate in known})
    startup = trials if at_random else max(3, trials // 3)
    study = optuna.create_study(
        direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed, n_startup_trials=startup)
    )
    found = []
    for _ in range(trials):
        trial = study.ask()
        name = draw(trial)
        drawn = math.log(trial.suggest_float("learning_rate", rates[0], rates[-1], log=True))
        rate = min(rates, key=lambda each: abs(math.log(each) - drawn))
        found.append(known[name, rate])
        study.tell(trial, found[-1])
    regret: npt.NDArray[np.float64] = 100 * (max(known.values()) - np.maximum.accumulate(found))
    return regret


def _interval(values: npt.NDArray[np.float64]) -> str:
    reach = 1.96 * float(values.std(ddof=1)) / math.sqrt(len(values))
    return f"{values.mean():.2f} ± {reach:.2f}"


if __name__ == "__main__":
    main()
