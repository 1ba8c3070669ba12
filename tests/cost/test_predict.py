"""The cost that is predicted from a student's size, and what may be refused by it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from autokd.cost.predict import FEWEST, fit, spread_out


@dataclass(frozen=True)
class Made:
    macs: int
    activations: int
    parameters: int
    layers: int


def students(count: int, seed: int = 0) -> list[Made]:
    """Sizes over two orders of magnitude, as timm's students have them."""
    generator = np.random.default_rng(seed)
    macs = 10 ** generator.uniform(6, 8, count)
    activations = macs**0.8 * 10 ** generator.uniform(-0.5, 0.5, count)
    parameters = 10 ** generator.uniform(5.5, 7.5, count)
    layers = generator.integers(20, 250, count)
    return [
        Made(int(m), int(a), int(p), int(n)) for m, a, p, n in zip(macs, activations, parameters, layers, strict=True)
    ]


def truth(size: Made) -> float:
    return 3e-11 * size.macs + 2e-10 * size.activations + 1e-11 * size.parameters + 2e-5 * size.layers


def noisy(size: Made, generator: np.random.Generator, spread: float = 0.15) -> float:
    return truth(size) * float(np.exp(generator.normal(0, spread)))


def test_a_cost_that_follows_the_formula_is_found_exactly() -> None:
    known, unknown = students(12), students(50, seed=1)
    prediction = fit(known, [truth(size) for size in known])
    assert prediction.largest_error < 1e-6
    for size in unknown:
        assert prediction.cost(size) == pytest.approx(truth(size), rel=1e-6)


def test_no_part_of_a_cost_is_negative() -> None:
    known = students(12)
    prediction = fit(known, [1e-3 for _ in known])  # falls with nothing, so a free fit would subtract
    assert min(prediction.coefficients) >= 0


def test_the_margin_is_stated_from_students_that_the_fit_has_not_seen() -> None:
    generator = np.random.default_rng(3)
    known = students(12)
    prediction = fit(known, [noisy(size, generator) for size in known])
    assert len(prediction.errors) == 12
    assert 0 < prediction.median_error <= prediction.largest_error
    assert prediction.margin == 2 * prediction.largest_error


def test_a_student_that_fits_is_not_refused() -> None:
    """Over 200 made-up machines: of those within budget 1 % at most, and none that is so by more than the margin."""
    refused = fitting = saved = 0
    worst = 0.0  # share of the stated margin by which a refused student was within budget
    for seed in range(200):
        generator = np.random.default_rng(seed)
        sizes = students(100, seed)
        costs = [noisy(size, generator) for size in sizes]
        budget = float(np.quantile(costs, 0.3))
        sample = [int(i) for i in generator.choice(100, 12, replace=False)]
        prediction = fit([sizes[i] for i in sample], [costs[i] for i in sample])
        for size, cost in zip(sizes, costs, strict=True):
            refuses = prediction.refuses(size, budget)
            fitting += cost <= budget
            refused += refuses and cost <= budget
            saved += refuses and cost > budget
            if refuses:
                worst = max(worst, (budget / cost - 1) / prediction.margin)
    assert refused / fitting < 0.01
    assert worst < 1
    assert saved / (200 * 70) > 0.3  # and it is worth having


def test_too_few_measured_students_predict_nothing() -> None:
    known = students(FEWEST - 1)
    with pytest.raises(ValueError, match="8 measured students"):
        fit(known, [truth(size) for size in known])


def test_a_sample_covers_the_sizes() -> None:
    made = students(100)
    sizes = {f"student {i}": size for i, size in enumerate(made)}
    sample = spread_out(sizes, 12)
    assert len(set(sample)) == 12
    macs = np.log([sizes[name].macs for name in sample])
    everything = np.log([size.macs for size in made])
    assert macs.min() < np.quantile(everything, 0.1)
    assert macs.max() > np.quantile(everything, 0.9)
    assert spread_out(sizes, 12) == sample
    assert spread_out(sizes, 100) == list(sizes)
