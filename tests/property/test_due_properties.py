"""What must hold of every condition and every order of arrivals, against a model that is plain and slow."""

import uuid
from collections import defaultdict
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from catalog.keys import DatasetKey
from policies.conditions import AllOf, AnyOf, Condition, DatasetCondition, explain, leaves
from policies.due import Batching, plan_runs
from policies.queues import QueuedVersion

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
DATASETS = 4

Shape = int | tuple[str, list["Shape"]]
SHAPES: st.SearchStrategy[Shape] = st.recursive(
    st.integers(0, DATASETS - 1),
    lambda children: st.tuples(st.sampled_from(["all", "any"]), st.lists(children, min_size=1, max_size=3)),
    max_leaves=6,
)
#: The dataset of each arrival, in the order of the log.
ARRIVALS = st.lists(st.integers(0, DATASETS - 1), max_size=24)


def build(shape: Shape) -> Condition:
    """Number the leaves of a shape in the order of the document."""
    numbers = iter(range(1000))

    def node(part: Shape) -> Condition:
        match part:
            case int():
                return DatasetCondition(DatasetKey("ns", str(part)), next(numbers))
            case ("all", children):
                return AllOf(tuple(node(child) for child in children))
            case (_, children):
                return AnyOf(tuple(node(child) for child in children))

    return node(shape)


CONDITIONS = SHAPES.map(build)


def arrived(condition: Condition, arrivals: list[int], first: int = 0) -> dict[int, list[QueuedVersion]]:
    """Return the queues after the arrivals; a version goes to every leaf of its dataset."""
    queues: dict[int, list[QueuedVersion]] = defaultdict(list)
    for sequence, dataset in enumerate(arrivals, start=first):
        version = QueuedVersion(sequence, uuid.UUID(int=sequence), BEGIN + timedelta(minutes=sequence))
        for leaf in leaves(condition):
            if leaf.key.name == str(dataset):
                queues[leaf.leaf].append(version)
    return queues


Run = list[tuple[int, int]]


def model_true(condition: Condition, queues: dict[int, list[int]], until: int) -> bool:
    """Say whether the condition holds for versions up to a position only."""
    match condition:
        case DatasetCondition():
            return any(sequence <= until for sequence in queues.get(condition.leaf, []))
        case AllOf():
            return all(model_true(child, queues, until) for child in condition.children)
        case AnyOf():
            return any(model_true(child, queues, until) for child in condition.children)


def model_take(condition: Condition, queues: dict[int, list[int]], last: int) -> Run:
    """Return the heads that a run takes from a condition that holds."""
    match condition:
        case DatasetCondition():
            return [(condition.leaf, queues[condition.leaf][0])]
        case AllOf():
            return [pair for child in condition.children for pair in model_take(child, queues, last)]
        case AnyOf():
            for until in range(last + 1):
                for child in condition.children:
                    if model_true(child, queues, until):
                        return model_take(child, queues, last)
            raise AssertionError(condition)


def model_runs(condition: Condition, arrivals: list[int]) -> list[Run]:
    """Return the runs of `each` when somebody looks after every single arrival."""
    queues: dict[int, list[int]] = defaultdict(list)
    runs: list[Run] = []
    for sequence, dataset in enumerate(arrivals):
        for leaf in leaves(condition):
            if leaf.key.name == str(dataset):
                queues[leaf.leaf].append(sequence)
        while model_true(condition, queues, sequence):
            run = model_take(condition, queues, sequence)
            runs.append(run)
            for leaf_number, taken in run:
                queues[leaf_number].remove(taken)
    return runs


def each_runs(condition: Condition, queues: dict[int, list[QueuedVersion]]) -> list[Run]:
    """Plan `each`, and take from the queues what the runs consume."""
    runs = []
    for run in plan_runs(condition, "each", queues).runs:
        runs.append([(consumption.leaf, consumption.version.sequence) for consumption in run.consumed])
        for consumption in run.consumed:
            queues[consumption.leaf].remove(consumption.version)
    return runs


@given(CONDITIONS, ARRIVALS)
def test_each_equals_the_model_that_looks_after_every_arrival(
    condition: Condition, arrivals: list[int]
) -> None:
    assert each_runs(condition, arrived(condition, arrivals)) == model_runs(condition, arrivals)


@given(CONDITIONS, ARRIVALS, st.lists(st.integers(1, 7)))
def test_how_arrivals_are_cut_into_batches_does_not_change_the_runs_of_each(
    condition: Condition, arrivals: list[int], cuts: list[int]
) -> None:
    whole = each_runs(condition, arrived(condition, arrivals))

    queues: dict[int, list[QueuedVersion]] = defaultdict(list)
    pieces: list[Run] = []
    position = 0
    for cut in [*cuts, len(arrivals)]:
        batch = arrived(condition, arrivals[position : position + cut], first=position)
        position = min(position + cut, len(arrivals))
        for leaf, versions in batch.items():
            queues[leaf].extend(versions)
        pieces.extend(each_runs(condition, queues))

    assert pieces == whole


@given(CONDITIONS, ARRIVALS, st.sampled_from(["each", "latest"]))
def test_no_version_is_consumed_twice_by_a_leaf_and_afterwards_nothing_is_due(
    condition: Condition, arrivals: list[int], batching: Batching
) -> None:
    queues = arrived(condition, arrivals)

    plan = plan_runs(condition, batching, queues)
    consumed = [consumption for run in plan.runs for consumption in run.consumed]

    assert len({(consumption.leaf, consumption.version.version) for consumption in consumed}) == len(consumed)
    for consumption in consumed:
        queues[consumption.leaf].remove(consumption.version)
    assert plan_runs(condition, "each", queues).runs == ()
    assert plan_runs(condition, "latest", queues).runs == ()


@given(ARRIVALS)
def test_all_of_datasets_runs_as_often_as_the_rarest_of_them_came(arrivals: list[int]) -> None:
    condition = build(("all", [0, 1, 2]))

    runs = plan_runs(condition, "each", arrived(condition, arrivals)).runs

    assert len(runs) == min(arrivals.count(dataset) for dataset in range(3))
    assert all(len(run.consumed) == 3 for run in runs)


@given(ARRIVALS)
def test_any_of_datasets_runs_once_for_every_version(arrivals: list[int]) -> None:
    condition = build(("any", [0, 1, 2]))

    runs = plan_runs(condition, "each", arrived(condition, arrivals)).runs

    assert [run.due.sequence for run in runs] == [
        sequence for sequence, dataset in enumerate(arrivals) if dataset < 3
    ]


@given(CONDITIONS, ARRIVALS)
def test_latest_is_one_run_that_empties_every_true_input_or_none(
    condition: Condition, arrivals: list[int]
) -> None:
    queues = arrived(condition, arrivals)

    plan = plan_runs(condition, "latest", queues)

    everything = {(leaf, queued) for leaf, versions in queues.items() for queued in versions}
    sequences = {leaf: [queued.sequence for queued in versions] for leaf, versions in queues.items()}
    if not model_true(condition, sequences, len(arrivals)):
        assert plan.runs == ()
    else:
        [run] = plan.runs
        assert {(taken.leaf, taken.version) for taken in run.consumed} == everything
    absorbed = plan_runs(condition, "latest", queues, open_batch=True)
    assert absorbed.runs == ()
    assert {(taken.leaf, taken.version) for taken in absorbed.absorbed} == everything


@given(CONDITIONS, ARRIVALS)
def test_runs_become_due_in_the_order_of_the_log(condition: Condition, arrivals: list[int]) -> None:
    runs = plan_runs(condition, "each", arrived(condition, arrivals)).runs

    positions = [run.due.sequence for run in runs]
    assert positions == sorted(positions)
    assert all(taken.version.sequence <= run.due.sequence for run in runs for taken in run.consumed)


@given(CONDITIONS, ARRIVALS)
def test_the_explanation_agrees_with_what_is_due(condition: Condition, arrivals: list[int]) -> None:
    queues = arrived(condition, arrivals)

    state = explain(condition, queues, BEGIN)
    runs = plan_runs(condition, "each", queues).runs

    assert state.satisfied == bool(runs)
    assert state.since == (runs[0].due.at if runs else None)
    assert (state.waiting_for is None) == state.satisfied
    assert state.queued == sum(map(len, queues.values()))
