"""Which proposals are confirmed: pure functions of the trials, blind to what students do on the test split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt
from types import MappingProxyType

from autokd.records import ARMS, Arm, Candidate, Proposal, Recipe, Record, Role, TrialRecord
from autokd.training.presets import preset
from autokd.tune.space.default_recipe import default_recipe
from autokd.tune.space.space import Space

MAX_LONGER = 4  # times the epochs of a trial; beyond that more training is not what decides


class Finalist(Record):
    """A proposal to be confirmed; its number is its own, not its trial's."""

    proposal: Proposal
    role: Role
    trial: int | None
    twin_of: tuple[int, ...] = ()


def choose_finalists(
    trials: Sequence[TrialRecord],
    space: Space,
    limit: int,
    soft_label_seconds: float,
    published: Sequence[TrialRecord] = (),
    edges: Sequence[Candidate] = (),
    families: Mapping[str, str] = MappingProxyType({}),
    floor: float = 0.0,
    by_cost: bool = False,
    tolerance: float = 0.0,
) -> list[Finalist]:
    """Picks of both arms, the default recipe of each, both arms' best trained longer, and every distilled one's twin.

    soft_label_seconds: device seconds of all soft labels, which the distill arm's trials share. published: models that
    can be used untrained, of which the best become direct finalists too. edges: students beyond the range of ratios,
    which get the best distilled trial's recipe; they come last, so that the others are the same with and without them.
    families: timm modules of the students, for the default recipe.
    floor, by_cost, tolerance: see `front`.
    """
    chosen: list[tuple[Arm, str, Recipe, Role, int | None]] = []
    fronts = {arm: front([t for t in trials if t.arm == arm], limit, floor, by_cost, tolerance) for arm in ARMS}
    for arm in ARMS:
        chosen += [(arm, t.student, t.recipe, "pick", t.number) for t in fronts[arm]]
        chosen += [
            (arm, t.student, _default(space, arm, t.recipe, families.get(t.student, "")), "default", None)
            for t in fronts[arm][:1]
        ]
    if fronts["distill"] and fronts["direct"]:
        shares = sum(1 for t in trials if t.arm == "distill")
        longer = _longer(fronts["distill"][0], fronts["direct"][0], soft_label_seconds / shares)
        if longer:
            own = fronts["distill"][0]
            as_long = own.recipe.model_copy(update={"epochs": longer.recipe.epochs})
            chosen.append(("direct", longer.student, longer.recipe, "longer", longer.number))
            chosen.append(("distill", own.student, as_long, "longer", own.number))
    chosen += [
        ("direct", t.student, t.recipe, "published", None) for t in front(published, limit, floor, by_cost, tolerance)
    ]
    finalists = [
        Finalist(proposal=Proposal(number=i, arm=arm, student=student, recipe=recipe), role=role, trial=trial)
        for i, (arm, student, recipe, role, trial) in enumerate(_distinct(chosen))
    ]
    finalists = _with_twins(finalists)
    for edge in edges if fronts["distill"] else ():
        best = fronts["distill"][0]
        recipe = _for_edge(edge, best.recipe)
        proposal = Proposal(number=len(finalists), arm="distill", student=edge.student, recipe=recipe)
        probe = Finalist(proposal=proposal, role="edge", trial=best.number)
        finalists = _with_twin([*finalists, probe], probe)
    return finalists


def most_trainings(limit: int, seeds: int, edges: int = 0) -> int:
    """The most trainings that the confirmation of so many proposals an arm, and of so many edges, may take."""
    return (3 * limit + 6 + 2 * edges) * seeds


def standard_error(accuracy: float, images: int) -> float:
    """Of the difference between two students that are about as accurate, each tested on so many images.

    Two successes and two failures are added (Agresti, Coull 1998, doi:10.1080/00031305.1998.10480550): an accuracy of
    100 % is no more certain than one close to it.
    """
    share = (accuracy * images + 2) / (images + 4)
    return sqrt(2 * share * (1 - share) / (images + 4))


def front(
    trials: Sequence[TrialRecord],
    limit: int,
    floor: float = 0.0,
    by_cost: bool = False,
    tolerance: float = 0.0,
) -> list[TrialRecord]:
    """At most `limit` complete trials along the front of validation accuracy and cost, the most promising first.

    That is the cheapest one which is less accurate than the best by no more than `tolerance` (after the rule of one
    standard error, Breiman et al. 1984, section 3.4.3), or with by_cost the cheapest; the others are spread from the
    most accurate to the cheapest. floor: validation accuracy below which a trial stands only where none reaches it,
    and then the most accurate one. An arm without complete trials has an empty front.
    """
    complete = [t for t in trials if t.state == "complete" and t.val_accuracy is not None]
    complete.sort(key=lambda t: (-(t.val_accuracy or 0.0), t.cost_usd_per_1k, t.number))
    found: list[TrialRecord] = []
    for trial in complete:
        good_enough = not found or (trial.val_accuracy or 0.0) >= floor
        if good_enough and (not found or trial.cost_usd_per_1k < found[-1].cost_usd_per_1k):
            found.append(trial)
    if by_cost or not found:
        ordered = found[::-1]
        return [ordered[i] for i in _spread(len(ordered), limit)]
    first = [t for t in found if (t.val_accuracy or 0.0) >= (found[0].val_accuracy or 0.0) - tolerance][-1]
    others = found[:0:-1] if first is found[0] else [trial for trial in found if trial is not first]
    return [first, *(others[i] for i in _spread(len(others), limit - 1))]


def _spread(count: int, limit: int) -> list[int]:
    """The first of so many places, the last, and those between at equal distances."""
    if limit < 1:
        return []
    if count <= limit:
        return list(range(count))
    return [round(i * (count - 1) / max(1, limit - 1)) for i in range(limit)]


def twin_recipe(recipe: Recipe) -> Recipe:
    """The same training without the teacher."""
    return recipe.model_copy(update={"temperature": 1.0, "alpha": 0.0, "loss": "kl", "beta": 1.0})


def _default(space: Space, arm: Arm, recipe: Recipe, family: str) -> Recipe:
    """The arm's default recipe, trained as long and in such batches as the searched ones."""
    default = default_recipe(space, arm, recipe.fine_tuning, family)
    return Recipe(epochs=recipe.epochs, batch_size=recipe.batch_size, ema=recipe.ema, **default)


def _for_edge(edge: Candidate, recipe: Recipe) -> Recipe:
    """The recipe at the usual learning rate where the edge starts from other weights than its student."""
    fine_tuning = edge.weights is not None
    if recipe.fine_tuning == fine_tuning:
        return recipe
    rate = preset(fine_tuning, edge.family).rate
    return recipe.model_copy(update={"fine_tuning": fine_tuning, "learning_rate": rate})


def _longer(distilled: TrialRecord, direct: TrialRecord, share: float) -> TrialRecord | None:
    """The direct pick with the epochs that the distilled pick's device seconds and its share of the soft labels buy."""
    epochs = direct.recipe.epochs
    seconds_per_epoch = direct.seconds / max(1, direct.epochs)
    affordable = int((distilled.seconds + share) / seconds_per_epoch) if seconds_per_epoch > 0 else 0
    if affordable <= epochs:
        return None
    recipe = direct.recipe.model_copy(update={"epochs": min(affordable, MAX_LONGER * epochs)})
    return direct.model_copy(update={"recipe": recipe})


def _distinct(
    chosen: list[tuple[Arm, str, Recipe, Role, int | None]],
) -> list[tuple[Arm, str, Recipe, Role, int | None]]:
    """Without trainings that would be the same."""
    kept: dict[tuple[Arm, str, Recipe], tuple[Arm, str, Recipe, Role, int | None]] = {}
    for each in chosen:
        kept.setdefault(each[:3], each)
    return list(kept.values())


def _with_twins(finalists: list[Finalist]) -> list[Finalist]:
    """Every distilled finalist gets a twin; a direct finalist that is one already serves as it."""
    found = list(finalists)
    for distilled in [f for f in finalists if f.proposal.arm == "distill"]:
        found = _with_twin(found, distilled)
    return found


def _with_twin(finalists: list[Finalist], distilled: Finalist) -> list[Finalist]:
    student, recipe = distilled.proposal.student, twin_recipe(distilled.proposal.recipe)
    own = distilled.proposal.number
    for i, other in enumerate(finalists):
        if other.proposal.arm == "direct" and (other.proposal.student, other.proposal.recipe) == (student, recipe):
            known = other.model_copy(update={"twin_of": (*other.twin_of, own)})
            return [*finalists[:i], known, *finalists[i + 1 :]]
    proposal = Proposal(number=len(finalists), arm="direct", student=student, recipe=recipe)
    return [*finalists, Finalist(proposal=proposal, role="twin", trial=distilled.trial, twin_of=(own,))]
