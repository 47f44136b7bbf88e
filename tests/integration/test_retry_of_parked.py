"""A record that is applied again behind the back of a follower that goes on."""

from catalog.facts import version_report
from catalog.follower import retry_parked
from catalog.keys import DatasetKey
from catalog.ledger import NewFact, compress
from tests.support.spine import T0, append, apply_fact, connect, follow, parked, pipeline_body, state_follower


def test_a_follower_that_goes_on_knows_what_a_retry_changed(database_url: str) -> None:
    registered = apply_fact(pipeline_body("first", "raw"))
    second = apply_fact(pipeline_body("second", "raw"))
    broken = NewFact(second.kind, second.digest, "test", b"[]")
    worker = state_follower()
    with connect(database_url) as connection:
        # The second registration cannot be read and is parked; the worker goes on and remembers one pipeline.
        (_, place) = append(connection, [registered, broken])
        report = version_report(DatasetKey("ns", "raw"), actor="test", time=T0, key="1")
        append(connection, [report])
        follow(connection, worker)
        assert [position for _, position, _, _ in parked(connection)] == [place.position]
        assert connection.execute("SELECT pipeline FROM pipeline_run").fetchall() == [("first",)]

        # It is mended and applied again, by another process.
        connection.execute(
            "UPDATE fact SET body = %s WHERE position = %s", (compress(second.body), place.position)
        )
        retry_parked(connection, state_follower(), place.position)
        assert parked(connection) == []

        # The worker starts both with the next version.
        append(connection, [version_report(DatasetKey("ns", "raw"), actor="test", time=T0, key="2")])
        follow(connection, worker)
        runs = connection.execute("SELECT pipeline, number FROM pipeline_run ORDER BY 1, 2").fetchall()
        assert runs == [("first", 1), ("first", 2), ("second", 1)]
