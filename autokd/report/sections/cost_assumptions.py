"""What the costs of a report assume, in one sentence, and remarks on the prices."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from autokd.cost.dollars import replicas
from autokd.cost.price_remarks import remarks
from autokd.cost.with_decoding import capacity_with_decoding
from autokd.formatting import clean, times
from autokd.records import CostModel, HourlyPrice, Option, PayPerUse, Report
from autokd.report import format as fmt


def assumptions(report: Report) -> str:
    """Price with its source and date, and utilization, or with a volume the fleet: all that the costs depend on."""
    model = report.cost_model
    parts = _by_parameters(model) if model.model == "params" else _measured(report)
    return f"Costs assume {'; '.join(parts)}."


def short_assumptions(report: Report) -> str:
    """Price with its date, and utilization or volume."""
    model = report.cost_model
    if model.model == "params":
        return f"{fmt.usd(model.usd_per_1k_per_billion)} per 1,000 requests and billion parameters."
    if model.pay_per_use is not None:
        return f"{rate(model.pay_per_use)}{_load(model)}."
    teacher = f"; the teacher's {_short(model.teacher_price)}" if model.teacher_price else ""
    return f"{_short(model)}{teacher}{_load(model)}."


def _load(model: CostModel) -> str:
    """The volume, else of replicas their utilization; in words that go on after a price."""
    if model.requests_per_month is not None:
        return f", {fmt.large(model.requests_per_month)} requests a month"
    return f", {clean(model.utilization * 100)} % utilized" if model.has_load else ""


def _short(price: HourlyPrice) -> str:
    origin = {"given": "as given", "borrowed": "borrowed", "table": f"{price.instance}, {price.price_date}"}
    return f"{fmt.usd(price.price_usd_per_hour)} an hour ({origin[price.price_origin]})"


def price(hourly: HourlyPrice) -> str:
    """Dollars an hour, of what, and where the figure is from."""
    amount = f"{fmt.usd(hourly.price_usd_per_hour)} an hour"
    if hourly.price_origin == "given":
        return f"{amount} (as given)"
    borrowed = "borrowed, " if hourly.price_origin == "borrowed" else ""
    return f"{amount} for {hourly.instance} ({borrowed}{hourly.price_source}, {hourly.price_date})"


def serving_price(model: CostModel) -> str:
    """What serving is priced at, and its load, in a sentence."""
    if model.model == "params":
        return (
            f"Priced by parameters: {fmt.usd(model.usd_per_1k_per_billion)} per 1,000 requests and billion parameters."
        )
    if model.pay_per_use is not None:
        return f"Billed by use: {rate(model.pay_per_use)}{_load(model)}."
    teacher = f", for the teacher {price(model.teacher_price)}" if model.teacher_price else ""
    return f"Priced at {price(model)}{teacher}{_load(model)}."


def rate(found: PayPerUse) -> str:
    """What a second and a request cost where they are billed by use."""
    parts = [f"{fmt.usd(found.usd_per_second)} a billed second"]
    parts += [f"{fmt.usd(found.usd_per_request)} a request"] if found.usd_per_request else []
    parts += [f"rounded up to {clean(found.increment_ms)} ms"]
    parts += [f"at least {clean(found.minimum_ms)} ms"] if found.minimum_ms else []
    return ", ".join(parts)


def price_remarks(report: Report) -> tuple[str, ...]:
    """What has to be known of costs: whose prices and speeds they are, how old the prices, and what is predicted."""
    told = remarks(report.cost_model, datetime.fromisoformat(report.created).date())
    options = (report.options.direct, report.options.distilled)
    predicted = list(dict.fromkeys(option.student for option in options if option and option.predicted))
    lacking = f"The cost of {fmt.listed(predicted)} is predicted, not measured." if predicted else None
    return tuple(filter(None, [*told, lacking]))


def teacher_forms(report: Report) -> str | None:
    """What the teacher would cost in its other forms, and keep; None where none was cheaper."""
    own, *others = report.options.teacher_forms or (report.options.teacher,)
    if not others:
        return None
    told = [
        f"{form.student} costs {fmt.usd(form.cost_usd_per_1k)}, with {fmt.percent(form.retention.mean)} of its accuracy"
        for form in others
    ]
    return f"{own.student} costs {fmt.usd(own.cost_usd_per_1k)} per 1,000 requests as measured; {fmt.listed(told)}."


def best_forms(report: Report) -> str | None:
    """How many times as much the teacher costs as each student, each in its best form; None if those are the run's."""
    students = {"direct": report.options.direct, "distilled": report.options.distilled}
    if not any(option and option.forms for option in students.values()):
        return None
    told = [
        f"{times(factor)} times what the {name} student does"
        for name, option in students.items()
        if option and (factor := option.factor_in_best_forms)
    ]
    return f"Each in its best form, {report.teacher.name} costs {fmt.listed(told)}." if told else None


def decoding(report: Report) -> str | None:
    """What decoding the images on the serving machine would leave of the factor; None where it was not measured."""
    told, options, model = report.decoding, report.options, report.cost_model
    if told is None or model.model == "params":
        return None
    begun = f"Decoding and resizing one of your images takes {told.milliseconds:.3g} ms of one core, not counted here"
    teacher, student = options.teacher, options.recommended(report.verdict) or options.direct or options.distilled
    if student is None or not (teacher.capacity_rps and student.capacity_rps):
        return f"{begun}."
    slow, fast = (capacity_with_decoding(rps, told, model) for rps in (teacher.capacity_rps, student.capacity_rps))
    return (
        f"{begun}. With it on the same {told.cores} cores, {teacher.student} would serve {slow:.3g} instead of "
        f"{teacher.capacity_rps:.3g} requests a second and {student.student} {fast:.3g} instead of "
        f"{student.capacity_rps:.3g}: {fast / slow:.1f} times as many, not "
        f"{student.capacity_rps / teacher.capacity_rps:.1f}."
    )


def _by_parameters(model: CostModel) -> Iterator[str]:
    yield f"{fmt.usd(model.usd_per_1k_per_billion)} per 1,000 requests per billion parameters, whatever serves them"
    if model.requests_per_month is not None:
        yield f"{fmt.count(model.requests_per_month)} requests a month"
    yield _training(model)


def _measured(report: Report) -> Iterator[str]:
    model = report.cost_model
    if model.pay_per_use is not None:
        yield rate(model.pay_per_use)
        if model.requests_per_month is not None:
            yield f"{fmt.count(model.requests_per_month)} requests a month"
        yield f"every request served alone, as fast as measured on {model.device}"
        yield _training(model)
        return
    several = model.accelerators_per_replica
    yield price(model) + (f", {several} of them per replica" if several > 1 else "")
    if model.teacher_price is not None:
        yield f"for the teacher {price(model.teacher_price)}"
    if model.requests_per_month is None:
        yield f"utilization {model.utilization:g}"
    else:
        yield (
            f"{fmt.count(model.requests_per_month)} requests a month with a peak of {model.peak_to_mean:g} times the "
            f"mean, replicas at most {fmt.share(model.target_utilization)} busy then, at least {model.min_replicas}"
        )
        yield f"replicas: {', '.join(_fleet(report))}"
    yield f"speeds as measured on {model.device}"
    yield _training(model)


def _fleet(report: Report) -> Iterator[str]:
    """How many replicas each option needs; one without a capacity needs no end of them."""
    options = report.options
    named = (("teacher", options.teacher), ("direct", options.direct), ("distilled", options.distilled))
    for name, option in named:
        if option is not None:
            yield f"{name} {_replicas(option, report.cost_model)}"


def _replicas(option: Option, model: CostModel) -> str:
    return fmt.count(replicas(option.capacity_rps, model)) if option.capacity_rps else fmt.NOTHING


def _training(model: CostModel) -> str:
    return f"training {fmt.usd(model.train_price_usd_per_hour)} an hour"
