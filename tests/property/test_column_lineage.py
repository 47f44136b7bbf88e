"""Lineage of columns: one form whatever the order in which it is told, read back as it was written."""

import random

import orjson
from hypothesis import given
from hypothesis import strategies as st

from catalog.keys import DatasetKey
from catalog.openlineage.columns import ColumnLineage, ColumnSource, Transformation
from catalog.openlineage.shape import Shape

names = st.sampled_from(["a", "b", "ü", "x:y", "c" * 30])
transformations = st.builds(
    Transformation,
    type=st.sampled_from(["DIRECT", "INDIRECT", ""]),
    subtype=st.sampled_from(["IDENTITY", "JOIN", ""]),
    description=st.sampled_from(["", "sum(x)"]),
    masking=st.booleans(),
)
sources = st.builds(
    ColumnSource,
    dataset=st.builds(DatasetKey, names, names),
    field=names,
    transformations=st.lists(transformations, max_size=3).map(tuple),
)
fields = st.dictionaries(names, st.lists(sources, max_size=4), max_size=4)
lineages = st.builds(ColumnLineage.of, fields, st.lists(sources, max_size=3))


@given(lineages)
def test_what_is_written_is_read_back(lineage: ColumnLineage) -> None:
    copy = ColumnLineage.from_json(orjson.loads(lineage.encoded))

    assert copy == lineage
    assert copy.digest == lineage.digest


@given(fields, st.lists(sources, max_size=3), st.randoms(use_true_random=False))
def test_the_order_of_telling_does_not_matter(
    told: dict[str, list[ColumnSource]], of_all: list[ColumnSource], order: random.Random
) -> None:
    shuffled = {
        name: order.sample(told[name], len(told[name])) for name in order.sample(list(told), len(told))
    }

    again = ColumnLineage.of(shuffled, [*of_all, *of_all][::-1])

    assert again.digest == ColumnLineage.of(told, of_all).digest


@given(lineages, lineages, lineages)
def test_merging_has_the_laws_of_a_union(
    one: ColumnLineage, two: ColumnLineage, three: ColumnLineage
) -> None:
    assert one.merge(two) == two.merge(one)
    assert one.merge(two).merge(three) == one.merge(two.merge(three))
    assert one.merge(one) == one


@given(lineages, lineages)
def test_shapes_differ_as_their_columns_do(one: ColumnLineage, two: ColumnLineage) -> None:
    a, x = DatasetKey("db", "a"), DatasetKey("db", "x")
    shapes = [Shape((a,), (x,), None, columns=((x, lineage),)) for lineage in (one, two)]

    assert (shapes[0].hash == shapes[1].hash) == (one == two)
    copy = Shape.from_json(orjson.loads(shapes[0].encoded))
    assert (copy, copy.hash, copy.encoded) == (shapes[0], shapes[0].hash, shapes[0].encoded)


def test_a_shape_without_columns_has_the_hash_and_the_form_that_it_had_before_columns() -> None:
    shape = Shape((DatasetKey("db", "a"),), (DatasetKey("db", "x"),), None)

    assert shape.hash.hex() == "49d3098f481f2f5909b31b4785ffd621"
    assert orjson.loads(shape.encoded) == [[["db", "a"]], [["db", "x"]], [], [], None]
    assert Shape.from_json([[["db", "a"]], [["db", "x"]], [], [], None]) == shape
