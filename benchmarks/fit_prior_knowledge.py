"""Fit what autokd knows of students before it trains any, on tables of recorded trainings (record_students.py).

Students are ranked within each table, the ranks turned into normal scores, and those are fitted by ridge regression.
The table that is printed tells how the ranks of a data set agree with a fit on the other data sets (Spearman), beside
what parameters, MACs and published top-1 alone say. --write puts the fit on all of them where autokd reads it.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from bench_screening import Trained, read_tables
from scipy.stats import norm, rankdata, spearmanr
from timing import table

from autokd.files import write_text
from autokd.tune import prior_knowledge
from autokd.tune.prior_knowledge import Feature, PriorKnowledge, features_of, published_top1
from autokd.zoo.catalogue import Count
from autokd.zoo.count import count_all

Array = npt.NDArray[np.float64]
Tables = Mapping[str, Sequence[Trained]]
FEATURES = ("parameters", "macs", "activations", "layers", "top1")
PENALTY = 3.0  # of the ridge regression, per squared weight of a standardised feature or a family
IMAGE_SIZE, CLASSES = 32, 10  # of the recorded trainings


def main(arguments: Sequence[str] | None = None) -> list[dict[str, object]]:
    """Fit, print, and write where that is asked for."""
    asked = _parse(arguments)
    tables = {name: students for path in asked.tables for name, students in read_tables(path).items()}
    counts = counts_of(tables)
    rows = [_row(name, tables, counts) for name in tables]
    print(table(rows))
    if asked.write:
        left_out = {name: rank_correlation(name, tables, counts) for name in tables if others(name, tables)}
        fitted = fit(tables, counts).model_copy(update={"rank_correlation": left_out})
        path = Path(prior_knowledge.__file__).with_name(prior_knowledge.FILE)
        write_text(path, fitted.model_dump_json(indent=1) + "\n")
    return rows


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=Path, nargs="+", default=[Path(__file__).parent / "students.csv"])
    parser.add_argument("--write", action="store_true", help="replace the fit that autokd comes with")
    return parser.parse_args(arguments)


def counts_of(tables: Tables) -> dict[str, Count]:
    """Of all students of the tables."""
    names = [student.name for students in tables.values() for student in students]
    return count_all(names, CLASSES, IMAGE_SIZE)[0]


def fit(tables: Tables, counts: Mapping[str, Count]) -> PriorKnowledge:
    """The model on all of these tables."""
    names = [student.name for students in tables.values() for student in students]
    known = _features(names, counts)
    means, deviations = np.nanmean(known, axis=0), np.nanstd(known, axis=0)
    families = sorted({counts[name].family for name in names})
    of_family = np.array([[float(counts[name].family == family) for family in families] for name in names])
    design = np.hstack([np.nan_to_num((known - means) / deviations), of_family])
    scores = np.concatenate([_scores([student.truth for student in students]) for students in tables.values()])
    weights = np.linalg.solve(design.T @ design + PENALTY * np.eye(design.shape[1]), design.T @ scores)
    rounded = [[round(float(value), 4) for value in values] for values in (means, deviations, weights)]
    return PriorKnowledge(
        features={
            name: Feature(mean=mean, deviation=deviation, weight=weight)
            for name, mean, deviation, weight in zip(FEATURES, *rounded, strict=False)
        },
        families=dict(zip(families, rounded[2][len(FEATURES) :], strict=True)),
        data={name: len(students) for name, students in tables.items()},
        rank_correlation={},
    )


def rank_correlation(name: str, tables: Tables, counts: Mapping[str, Count]) -> float:
    """Of the accuracies in one table with what a fit on the other data sets promises; NaN where there are none."""
    elsewhere = others(name, tables)
    if not elsewhere:
        return float("nan")
    fitted = fit(elsewhere, counts)
    promised = [fitted.promise(counts[s.name], published_top1(s.name)) for s in tables[name]]
    return round(float(spearmanr(promised, [student.truth for student in tables[name]]).statistic), 2)


def others(name: str, tables: Tables) -> dict[str, Sequence[Trained]]:
    """The tables of other data sets."""
    return {other: rows for other, rows in tables.items() if other.split(",")[0] != name.split(",")[0]}


def _features(names: Sequence[str], counts: Mapping[str, Count]) -> Array:
    """One row a student; NaN for a top-1 that was not published."""
    rows = [features_of(counts[name], published_top1(name)) for name in names]
    return np.array([[row.get(feature, np.nan) for feature in FEATURES] for row in rows])


def _scores(values: Sequence[float]) -> Array:
    """Normal scores of the ranks (Blom 1958)."""
    return np.asarray(norm.ppf((rankdata(values) - 0.375) / (len(values) + 0.25)))


def _row(name: str, tables: Tables, counts: Mapping[str, Count]) -> dict[str, object]:
    students = tables[name]
    truth = [student.truth for student in students]
    known = _features([student.name for student in students], counts)
    alone = {feature: spearmanr(known[:, i], truth, nan_policy="omit").statistic for i, feature in enumerate(FEATURES)}
    return {
        "left out": f"{name}, {len(students)} students",
        "fit on the others": f"{rank_correlation(name, tables, counts):.2f}",
        **{feature: f"{alone[feature]:.2f}" for feature in ("parameters", "macs", "top1")},
    }


if __name__ == "__main__":
    main()
