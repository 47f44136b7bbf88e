"""Loops that documents show."""

import itertools

from catalog.keys import DatasetKey
from policies.loops import PipelineEdges, describe_loop, find_loop


def dataset(name: str) -> DatasetKey:
    return DatasetKey("ns", name)


def pipeline(name: str, reads: str, writes: str = "") -> PipelineEdges:
    return PipelineEdges(
        name, frozenset(map(dataset, reads.split())), frozenset(map(dataset, writes.split()))
    )


def test_a_chain_is_no_loop() -> None:
    assert (
        find_loop([pipeline("land", "a", "b"), pipeline("model", "b", "c"), pipeline("report", "c")]) is None
    )


def test_a_diamond_is_no_loop() -> None:
    chain = [pipeline("l", "a", "b"), pipeline("m", "a", "c"), pipeline("n", "b c", "d")]

    assert find_loop(chain) is None


def test_a_pipeline_that_reads_what_it_writes_is_a_loop() -> None:
    assert find_loop([pipeline("p", "a b", "b")]) == ["p", "dataset:ns:b", "p"]


def test_a_loop_is_told_as_the_chain_of_pipelines_and_datasets() -> None:
    pipelines = [pipeline("land", "x", "a"), pipeline("model", "a", "b c"), pipeline("publish", "c", "a")]

    assert find_loop(pipelines) == ["model", "dataset:ns:c", "publish", "dataset:ns:a", "model"]


def test_the_order_of_the_documents_does_not_matter() -> None:
    pipelines = [pipeline("p", "a", "b"), pipeline("q", "b", "a c"), pipeline("r", "c", "a")]

    assert {tuple(find_loop(order) or ()) for order in itertools.permutations(pipelines)} == {
        ("p", "dataset:ns:b", "q", "dataset:ns:a", "p")
    }


def test_of_the_loops_through_a_pipeline_the_shortest_is_told() -> None:
    pipelines = [
        pipeline("a", "start", "one end"),
        pipeline("b", "one", "two"),
        pipeline("c", "two", "start"),
        pipeline("d", "end", "start"),
    ]

    assert find_loop(pipelines) == ["a", "dataset:ns:end", "d", "dataset:ns:start", "a"]


def test_a_loop_through_another_name_of_a_dataset_is_found() -> None:
    path, table = DatasetKey("s3://lake", "/sales"), dataset("sales")
    pipelines = [
        PipelineEdges("p", frozenset({table}), frozenset({dataset("b")})),
        PipelineEdges("q", frozenset({dataset("b")}), frozenset({path})),
    ]

    assert find_loop(pipelines) is None
    assert find_loop(pipelines, {path: table}) == ["p", "dataset:ns:b", "q", "dataset:ns:sales", "p"]


def test_names_that_look_alike_as_node_ids_are_kept_apart() -> None:
    one, other = DatasetKey("a:b", "c"), DatasetKey("a", "b:c")
    assert one.node_id == other.node_id

    assert find_loop([PipelineEdges("p", frozenset({one}), frozenset({other}))]) is None


def test_a_pipeline_and_a_dataset_of_one_name_are_kept_apart() -> None:
    assert find_loop([pipeline("b", "a"), pipeline("a", "x", "b")]) is None


def test_a_loop_of_ten_thousand_pipelines_is_found_without_recursion() -> None:
    count = 10_000
    chain = [pipeline(f"p{number:05}", f"d{number}", f"d{number + 1}") for number in range(count)]
    assert find_loop(chain) is None

    loop = find_loop([*chain, pipeline("back", f"d{count}", "d0")])

    assert loop is not None
    assert len(loop) == 2 * (count + 1) + 1
    assert len(describe_loop(loop)) < 500


def test_a_hub_that_thousands_read_and_write_costs_a_sum_not_a_product() -> None:
    readers = [pipeline(f"r{number}", "hub", f"out{number}") for number in range(5_000)]
    writers = [pipeline(f"w{number}", f"in{number}", "hub") for number in range(5_000)]

    assert find_loop(readers + writers) is None


def test_ways_that_part_and_meet_again_and_again_are_walked_once() -> None:
    # 2 to the power of 60 ways lead through these layers.
    layers = [
        pipeline(f"p{layer}{side}", f"d{layer}a d{layer}b", f"d{layer + 1}a d{layer + 1}b")
        for layer in range(60)
        for side in "ab"
    ]

    assert find_loop(layers) is None


def test_a_short_loop_is_described_whole_and_a_long_one_by_its_ends() -> None:
    assert describe_loop(["p", "dataset:ns:a", "p"]) == "p -> dataset:ns:a -> p"
    described = describe_loop([str(number) for number in range(101)])
    assert described.startswith("0 -> 1 -> ")
    assert described.endswith(" -> … -> 97 -> 98 -> 99 -> 100")
