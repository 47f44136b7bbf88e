"""What becomes due, told tick by tick."""

import uuid
from collections import defaultdict
from datetime import UTC, datetime, timedelta

import pytest

from catalog.keys import DatasetKey
from policies.conditions import AllOf, AnyOf, Condition, DatasetCondition
from policies.due import Batching, Consumption, Plan, PlannedRun, plan_runs
from policies.queues import QueuedVersion

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)


def leaf(number: int) -> DatasetCondition:
    return DatasetCondition(DatasetKey("ns", f"d{number}"), number)


def version(sequence: int) -> QueuedVersion:
    return QueuedVersion(sequence, uuid.UUID(int=sequence), BEGIN + timedelta(minutes=sequence))


class Story:
    """A pipeline whose queues take arrivals and lose what is consumed."""

    def __init__(self, condition: Condition, batching: Batching) -> None:
        self.condition = condition
        self.batching = batching
        self.queues: defaultdict[int, list[QueuedVersion]] = defaultdict(list)
        self.sequence = 0

    def arrive(self, *leaves: int) -> None:
        """Queue one new version in each of the leaves."""
        for number in leaves:
            self.sequence += 1
            self.queues[number].append(version(self.sequence))

    def plan(self, *, open_batch: bool = False) -> Plan:
        plan = plan_runs(self.condition, self.batching, self.queues, open_batch=open_batch)
        for consumed in (*(run.consumed for run in plan.runs), plan.absorbed):
            for consumption in consumed:
                self.queues[consumption.leaf].remove(consumption.version)
        return plan

    def tick(self) -> list[list[tuple[int, int]]]:
        """Plan; return the (leaf, sequence) pairs that each new run consumed."""
        return [pairs(run.consumed) for run in self.plan().runs]


def pairs(consumed: tuple[Consumption, ...]) -> list[tuple[int, int]]:
    return [(consumption.leaf, consumption.version.sequence) for consumption in consumed]


def test_each_version_of_one_dataset_is_one_run() -> None:
    story = Story(leaf(0), "each")

    # Nothing has come: nothing is due.
    assert story.tick() == []
    # Three versions come before anybody looks: three runs, oldest first.
    story.arrive(0, 0, 0)
    assert story.tick() == [[(0, 1)], [(0, 2)], [(0, 3)]]
    # They are consumed: nothing is due twice.
    assert story.tick() == []


def test_all_waits_for_every_child_and_pairs_the_oldest() -> None:
    story = Story(AllOf((leaf(0), leaf(1))), "each")

    # Two of the one, none of the other.
    story.arrive(0, 0)
    assert story.tick() == []
    # The other comes once: it goes with the oldest.
    story.arrive(1)
    assert story.tick() == [[(0, 1), (1, 3)]]
    # One is left over and waits.
    assert story.tick() == []
    story.arrive(1)
    assert story.tick() == [[(0, 2), (1, 4)]]


def test_a_run_knows_the_version_that_made_it_due() -> None:
    story = Story(AllOf((leaf(0), leaf(1))), "each")
    story.arrive(0, 0, 1)

    assert [run.due.sequence for run in story.plan().runs] == [3]


def test_any_takes_the_child_whose_head_is_oldest() -> None:
    story = Story(AnyOf((leaf(0), leaf(1))), "each")

    story.arrive(1, 0, 1)

    assert story.tick() == [[(1, 1)], [(0, 2)], [(1, 3)]]


def test_any_inside_all_takes_one_child_and_keeps_the_other_for_later() -> None:
    story = Story(AllOf((leaf(0), AnyOf((leaf(1), leaf(2))))), "each")

    story.arrive(2, 1, 0)
    assert story.tick() == [[(0, 3), (2, 1)]]
    # The other child still stands in its queue.
    story.arrive(0)
    assert story.tick() == [[(0, 4), (1, 2)]]
    assert story.tick() == []


def test_all_inside_any_is_as_old_as_its_youngest_head() -> None:
    # d0 came first, but the pair was complete only after d2.
    story = Story(AnyOf((AllOf((leaf(0), leaf(1))), leaf(2))), "each")

    story.arrive(0, 2, 1)

    assert story.tick() == [[(2, 2)], [(0, 1), (1, 3)]]


def test_a_dataset_in_two_leaves_is_queued_in_both_and_the_first_in_the_document_wins_a_tie() -> None:
    tree = AnyOf((AllOf((leaf(0), leaf(1))), AllOf((leaf(2), leaf(3)))))
    shared = version(3)
    queues = {1: [version(1)], 3: [version(2)], 0: [shared], 2: [shared]}

    runs = plan_runs(tree, "each", queues).runs

    assert [pairs(run.consumed) for run in runs] == [[(0, 3), (1, 1)], [(2, 3), (3, 2)]]


def test_latest_takes_all_that_has_come_in_one_run() -> None:
    story = Story(AllOf((leaf(0), leaf(1))), "latest")

    story.arrive(0, 0)
    assert story.tick() == []
    story.arrive(1, 0)
    assert story.tick() == [[(0, 1), (0, 2), (0, 4), (1, 3)]]
    assert story.tick() == []


def test_latest_empties_inputs_whose_branch_is_not_true_yet() -> None:
    story = Story(AnyOf((leaf(0), AllOf((leaf(1), leaf(2))))), "latest")

    # d1 alone makes nothing due, and waits.
    story.arrive(1)
    assert story.tick() == []
    # The run that d0 makes due reads d1 as it stands, so it counts as seen.
    story.arrive(0)
    assert story.tick() == [[(0, 2), (1, 1)]]
    # d2 therefore waits for a newer d1.
    story.arrive(2)
    assert story.tick() == []


def test_an_open_batch_absorbs_and_a_closed_one_does_not() -> None:
    story = Story(AllOf((leaf(0), leaf(1))), "latest")
    story.arrive(0, 1)
    assert story.tick() == [[(0, 1), (1, 2)]]

    # While the run waits for its slot, what comes goes into it, a lone input too.
    story.arrive(0)
    plan = story.plan(open_batch=True)
    assert plan == Plan(absorbed=(Consumption(0, version(3)),))
    # Once it has its slot, a lone input waits for the next batch.
    story.arrive(0)
    assert story.tick() == []
    story.arrive(1)
    assert story.tick() == [[(0, 4), (1, 5)]]


def test_an_open_batch_with_nothing_new_absorbs_nothing() -> None:
    assert Story(leaf(0), "latest").plan(open_batch=True) == Plan()


def test_each_knows_no_open_batch() -> None:
    story = Story(leaf(0), "each")
    story.arrive(0)

    assert len(story.plan(open_batch=True).runs) == 1


@pytest.mark.parametrize("batching", ["each", "latest"])
def test_an_empty_queue_and_no_queue_make_nothing_due(batching: Batching) -> None:
    assert plan_runs(leaf(0), batching, {0: []}) == Plan()
    assert plan_runs(leaf(0), batching, {}) == Plan()


@pytest.mark.parametrize("batching", ["each", "latest"])
def test_queues_of_leaves_that_the_condition_does_not_have_stay_untouched(batching: Batching) -> None:
    assert plan_runs(leaf(0), batching, {7: [version(1)]}) == Plan()


def test_planning_reads_ten_thousand_versions_without_changing_a_queue() -> None:
    tree = AllOf((leaf(0), AnyOf((leaf(1), leaf(2)))))
    queues = {
        0: tuple(version(3 * number) for number in range(10_000)),
        1: tuple(version(3 * number + 1) for number in range(5_000)),
        2: tuple(version(3 * number + 2) for number in range(5_000)),
    }

    plan = plan_runs(tree, "each", queues)

    assert len(plan.runs) == 10_000
    assert plan.runs[-1] == PlannedRun(
        (Consumption(0, queues[0][-1]), Consumption(2, queues[2][-1])), due=queues[0][-1]
    )
