"""Loops against a search that tries every way, on graphs small enough for it."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from catalog.keys import DatasetKey
from policies.loops import PipelineEdges, find_loop

KEYS = [DatasetKey("ns", f"d{number}") for number in range(5)]
KEY_SETS = st.frozensets(st.sampled_from(KEYS), max_size=3)
PIPELINES = st.lists(st.tuples(KEY_SETS, KEY_SETS), max_size=6).map(
    lambda pairs: [PipelineEdges(f"p{number}", *pair) for number, pair in enumerate(pairs)]
)
ALIASES = st.dictionaries(st.sampled_from(KEYS[:3]), st.sampled_from(KEYS[3:]), max_size=3)


def follows(one: PipelineEdges, other: PipelineEdges, aliases: dict[DatasetKey, DatasetKey]) -> bool:
    def canonical(keys: frozenset[DatasetKey]) -> set[DatasetKey]:
        return {aliases.get(key, key) for key in keys}

    return bool(canonical(one.writes) & canonical(other.reads))


def has_loop(pipelines: list[PipelineEdges], aliases: dict[DatasetKey, DatasetKey]) -> bool:
    def reaches(at: PipelineEdges, goal: PipelineEdges, seen: frozenset[str]) -> bool:
        return any(
            follower.name == goal.name
            or (follower.name not in seen and reaches(follower, goal, seen | {follower.name}))
            for follower in pipelines
            if follows(at, follower, aliases)
        )

    return any(reaches(pipeline, pipeline, frozenset()) for pipeline in pipelines)


@given(PIPELINES, ALIASES)
def test_a_loop_is_found_exactly_where_one_is(
    pipelines: list[PipelineEdges], aliases: dict[DatasetKey, DatasetKey]
) -> None:
    assert (find_loop(pipelines, aliases) is not None) == has_loop(pipelines, aliases)


@given(PIPELINES)
def test_every_step_of_the_chain_is_an_edge_of_a_document(pipelines: list[PipelineEdges]) -> None:
    chain = find_loop(pipelines)
    if chain is None:
        return
    by_name = {pipeline.name: pipeline for pipeline in pipelines}

    assert chain[0] == chain[-1]
    assert len(set(chain)) == len(chain) - 1
    for writer, dataset, reader in zip(chain[::2], chain[1::2], chain[2::2], strict=False):
        assert dataset in {key.node_id for key in by_name[writer].writes & by_name[reader].reads}


@given(PIPELINES, st.randoms(use_true_random=False))
def test_the_order_of_the_documents_changes_nothing(pipelines: list[PipelineEdges], random: Random) -> None:
    shuffled = list(pipelines)
    random.shuffle(shuffled)

    assert find_loop(shuffled) == find_loop(pipelines)
