"""Small observations in few words, and what draws many of them."""

import contextlib
import datetime as dt
import itertools
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import psycopg
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, text

from catalog.database import driver_connection
from catalog.follower import Follower
from catalog.keys import DatasetKey, JobKey, NodeId
from catalog.observations import (
    AliasObserved,
    DatasetObserved,
    JobObserved,
    Observation,
    Observed,
    ParentObserved,
    RenameObserved,
    ShapeObserved,
    encode_observed,
)
from catalog.openlineage.columns import ColumnLineage, ColumnSource, Transformation
from catalog.openlineage.shape import Flow, Shape
from graph.following import GraphLog
from graph.model import Node

T0 = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def dataset(name: str) -> DatasetKey:
    """The dataset of this name in the namespace of these tests."""
    return DatasetKey("db", name)


def job(name: str) -> JobKey:
    """The job of this name in the namespace of these tests."""
    return JobKey("etl", name)


def node_id(key: DatasetKey | JobKey | Node) -> NodeId:
    """The node id by which a user asks for it."""
    return NodeId.parse(key.id if isinstance(key, Node) else Node.of(key).id)


def day(number: int) -> dt.datetime:
    """An instant of event time."""
    return T0 + dt.timedelta(days=number)


def datasets(names: str) -> tuple[DatasetKey, ...]:
    """The datasets whose names stand in the text, sorted."""
    return tuple(sorted(dataset(name) for name in names.split()))


def jobs(names: str) -> tuple[JobKey, ...]:
    """The jobs whose names stand in the text, sorted."""
    return tuple(sorted(job(name) for name in names.split()))


def shape(inputs: str, outputs: str) -> Shape:
    """The shape of a job all of whose inputs feed all of its outputs."""
    return Shape(datasets(inputs), datasets(outputs), None)


def explicit(*flows: Flow, inputs: str = "", outputs: str = "") -> Shape:
    """The shape of a job with stated flows, and with inputs and outputs that stand in none of them."""
    return Shape(
        tuple(sorted({*datasets(inputs), *(key for flow in flows for key in flow.inputs)})),
        tuple(sorted({*datasets(outputs), *(key for flow in flows for key in flow.outputs)})),
        flows,
        tuple(sorted({key for flow in flows for key in flow.job_inputs})),
        tuple(sorted({key for flow in flows for key in flow.job_outputs})),
    )


def flow(inputs: str, outputs: str, *, job_inputs: str = "", job_outputs: str = "") -> Flow:
    """These feed those."""
    return Flow(datasets(outputs), datasets(inputs), jobs(job_outputs), jobs(job_inputs))


def source(text: str, *transformations: Transformation) -> ColumnSource:
    """The source `dataset.field`."""
    name, field = text.split(".")
    return ColumnSource(dataset(name), field, transformations)


def with_columns(stated: Shape, **columns: str) -> Shape:
    """The shape with columns: `t="p=a.q+b.r *=c.s"` makes p of t of two fields; each field depends on c.s."""
    said = []
    for name, statements in sorted(columns.items()):
        parts = [statement.split("=") for statement in statements.split()]
        sources = {field: [source(text) for text in found.split("+") if text] for field, found in parts}
        said.append((dataset(name), ColumnLineage.of(sources, sources.pop("*", ()))))
    return replace(stated, columns=tuple(said))


def shaped(name: str, stated: Shape | None, *, at: int = 0, tiebreak: int = 0) -> ShapeObserved:
    """The job has the shape from that day on."""
    return ShapeObserved(job(name), day(at), uuid.UUID(int=tiebreak), stated)


def alias(name: str, other: str, *, at: int = 0, type_: str = "TABLE") -> AliasObserved:
    """Both names mean one dataset."""
    return AliasObserved(dataset(name), dataset(other), type_, day(at))


def renamed(name: str, previous: str, *, at: int = 0) -> RenameObserved:
    """The dataset had another name before."""
    return RenameObserved(dataset(name), dataset(previous), day(at))


def parent(name: str, other: str, *, at: int = 0) -> ParentObserved:
    """Runs of the job are started within runs of the other."""
    return ParentObserved(job(name), job(other), day(at))


def log(*observed: Observed, first: int = 1) -> list[Observation]:
    """The observations as the log has them: numbered, each made known by a ledger position of its own."""
    return [Observation(sequence, 10 * sequence, each) for sequence, each in enumerate(observed, first)]


def begin_generation(engine: Engine) -> None:
    """Make the graph of the database empty, cheaply: what was written stays in a generation that nobody reads."""
    with engine.begin() as connection:
        connection.execute(text("UPDATE graph_generation SET state = 'retired' WHERE state = 'current'"))
        connection.execute(
            text(
                "INSERT INTO graph_generation (number, state)"
                " SELECT max(number) + 1, 'current' FROM graph_generation"
            )
        )
        connection.execute(text("UPDATE follower SET position = 0"))


def set_state_position(engine: Engine, observations: Iterable[Observation]) -> None:
    """Say that the state follower has come as far as the observations."""
    last = max((observation.position for observation in observations), default=0)
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE follower SET position = greatest(position, :last) WHERE name = 'state'"),
            {"last": last},
        )


# What draws many of them --------------------------------------------------------------------------------------

NAMES = "abcdef"
JOB_NAMES = "uvwxy"
some_datasets = st.lists(st.sampled_from(NAMES), max_size=3, unique=True).map(" ".join)
some_jobs = st.lists(st.sampled_from(JOB_NAMES), max_size=1, unique=True).map(" ".join)
FIELD_NAMES = "pq"
column_sources = st.builds(
    ColumnSource,
    st.sampled_from(NAMES).map(dataset),
    st.sampled_from(FIELD_NAMES),
    st.sampled_from(
        [(), (Transformation("DIRECT", "IDENTITY", "", False),), (Transformation("", "", "é", True),)]
    ),
)
column_lineages = st.builds(
    ColumnLineage.of,
    st.dictionaries(st.sampled_from(FIELD_NAMES), st.lists(column_sources, max_size=3)),
    st.lists(column_sources, max_size=2),
)
some_columns = st.dictionaries(st.sampled_from(NAMES).map(dataset), column_lineages, max_size=2)
flows = st.builds(flow, some_datasets, some_datasets, job_inputs=some_jobs, job_outputs=some_jobs)
tables_only = st.one_of(
    st.builds(shape, some_datasets, some_datasets),
    st.builds(
        lambda found, inputs, outputs: explicit(*found, inputs=inputs, outputs=outputs),
        st.lists(flows, max_size=3),
        some_datasets,
        some_datasets,
    ),
)
shapes = tables_only | st.builds(
    lambda stated, columns: replace(stated, columns=tuple(sorted(columns.items()))), tables_only, some_columns
)
days = st.integers(0, 4)
observed = st.one_of(
    st.builds(
        shaped,
        st.sampled_from(JOB_NAMES),
        st.one_of(shapes, shapes, shapes, st.none()),
        at=days,
        tiebreak=st.integers(0, 1),
    ),
    st.builds(alias, st.sampled_from(NAMES), st.sampled_from(NAMES), at=days, type_=st.sampled_from("TX")),
    st.builds(renamed, st.sampled_from(NAMES), st.sampled_from(NAMES), at=days),
    st.builds(parent, st.sampled_from(JOB_NAMES), st.sampled_from(JOB_NAMES), at=days),
    st.builds(DatasetObserved, st.sampled_from(NAMES).map(dataset)),
    st.builds(JobObserved, st.sampled_from(JOB_NAMES).map(job)),
)
logs = st.lists(observed, max_size=25).map(lambda found: log(*found))


@st.composite
def chunked(draw: st.DrawFn, observations: Sequence[Observation]) -> list[list[Observation]]:
    """Cut the observations anywhere."""
    cuts = sorted(draw(st.lists(st.integers(0, len(observations)), max_size=4)))
    bounds = [0, *cuts, len(observations)]
    return [list(observations[low:high]) for low, high in itertools.pairwise(bounds)]


# The log in the database --------------------------------------------------------------------------------------


def begin_log(engine: Engine) -> None:
    """Make the log and the graph of the database empty."""
    begin_generation(engine)
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM observation"))
        connection.execute(text("DELETE FROM parked"))


def append_log(engine: Engine, *stated: Observed) -> None:
    """Append to the log as the state follower does, which then stands at the last ledger position."""
    with engine.begin() as connection:
        for each in stated:
            kind, body = encode_observed(each)
            append_record(connection, kind, body)


def append_record(connection: Connection, kind: str, body: bytes) -> None:
    """Append one record, readable or not, at the next ledger position."""
    connection.execute(
        text(
            "WITH moved AS (UPDATE follower SET position = position + 10 WHERE name = 'state' RETURNING position)"
            " INSERT INTO observation (position, kind, body) SELECT position, :kind, :body FROM moved"
        ),
        {"kind": kind, "body": body},
    )


def follow_graph(engine: Engine, *, batch: int = 1000) -> None:
    """Step the graph follower until nothing is left."""
    follower = Follower(GraphLog(), batch=batch, holder="test")
    with autocommitting(engine) as connection:
        while follower.step(connection).taken:
            pass


@contextlib.contextmanager
def autocommitting(engine: Engine) -> Iterator[psycopg.Connection[Any]]:
    """Yield a driver connection as followers have it."""
    with engine.connect() as connection:
        yield driver_connection(connection.execution_options(isolation_level="AUTOCOMMIT"))
