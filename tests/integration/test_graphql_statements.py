"""What a question costs the database: statements go with its shape, never with the length of the answer."""

import datetime as dt
import uuid
from pathlib import Path

from tests.support.graphql import Asking, asked, completed, heard
from tests.support.spine import T0, apply_fact, fact_of_event, pipeline_body, run_event
from tests.support.statements import counted


def test_ten_thousand_nodes_with_what_is_stored_about_them_take_a_handful_of_statements(
    database_url: str, tmp_path: Path
) -> None:
    jobs = 3_333
    heard(
        database_url,
        [
            fact_of_event(
                run_event(
                    uuid.uuid4(), job=f"j{n:05d}", inputs=["hub"], outputs=[f"a{n:05d}", f"b{n:05d}"], at=T0
                )
            )
            for n in range(jobs)
        ],
    )
    query = """query ($most: Int!) { lineage(nodeId: "dataset:ns:hub", direction: DOWNSTREAM, maxNodes: $most) {
      nodes { id kind
        dataset { name firstSeenAt currentVersion { id time state } }
        job { name latestRun { id state endedAt } } }
      completeness { complete } } }"""

    async def story(ask: Asking) -> None:
        counts = {}
        for most in (10, 10_000):
            with counted(ask.web.services.engine) as statements:
                lineage = (await ask.data(query, {"most": most}))["lineage"]
            counts[most] = len(statements)
            assert len(lineage["nodes"]) == min(most, 3 * jobs + 1)
        nodes = lineage["nodes"]
        states = [node["job"]["latestRun"]["state"] for node in nodes if node["job"] is not None]
        assert states == ["COMPLETE"] * jobs
        assert sum(bool(node["dataset"] and node["dataset"]["currentVersion"]) for node in nodes) == 2 * jobs
        print(counts)
        # The graph takes one or two for each level of its walk.
        assert counts[10_000] <= counts[10] + 4
        assert counts[10_000] <= 20

    asked(database_url, tmp_path, story)


def test_every_field_below_a_list_is_read_for_the_whole_list(database_url: str, tmp_path: Path) -> None:
    minute = dt.timedelta(minutes=1)
    facts = [apply_fact(*(pipeline_body(f"p{n:02d}", f"d{n:02d}") for n in range(30)))]
    for n in range(30):
        facts += completed(f"load{n:02d}", outputs=[f"d{n:02d}"], at=T0 + n * minute)
    heard(database_url, facts)
    questions = {
        "pipelines": """name owner warnings { code } condition { since } document { version } history { totalCount
          nodes { version } } latestRun { number } inputs { dataset { currentVersion { time } } }
          decisions { totalCount nodes { verdict inputs { version { id } dataset { id } } } }
          runs { totalCount nodes { state transitions { toState } attempts { number } decisions { verdict }
            consumedVersions { totalCount nodes { time run { job { id } } } } outputs { nodes { id } }
            causes(maxNodes: 10) { nodes { text fact { kind } } } run { reported } } }""",
        "datasets": """id aliases { type } shownName { id } fields { name } currentVersion { isCurrent
          consumedBy { number } consumedVersions { nodes { version { dataset { id } } } } run { id } }
          versions { totalCount nodes { id } }
          producers { jobs { id latestRun { state } } completeness { complete } position }
          consumers { jobs { id pipeline { name } } completeness { complete } }""",
        "jobs": """id inputs { id } outputs { id } parents { id } latestRun { id } pipeline { name }
          runs { totalCount nodes { inputs { rowCount } outputs { dataset { id } fields { name } } parent { id }
            children { nodes { id } } versions { id } events { totalCount nodes { position } } root { id } } }""",
    }

    async def story(ask: Asking) -> None:
        for name, fields in questions.items():
            counts = []
            for first in (3, 30):
                query = f"{{ {name}(first: {first}) {{ nodes {{ {fields} }} }} }}"
                with counted(ask.web.services.engine) as statements:
                    found = await ask.data(query)
                assert len(found[name]["nodes"]) == first
                counts.append(len(statements))
            assert counts[0] == counts[1], (name, counts)

    asked(database_url, tmp_path, story, query_max_complexity=10_000_000)


def test_a_total_is_counted_only_where_it_is_asked_for(database_url: str, tmp_path: Path) -> None:
    heard(database_url, completed("load", outputs=["raw"]))

    async def story(ask: Asking) -> None:
        with counted(ask.web.services.engine) as without:
            await ask.data("{ datasets { nodes { id } } }")
        with counted(ask.web.services.engine) as with_total:
            await ask.data("{ datasets { totalCount nodes { id } } }")
        assert not any("count(*)" in statement for statement in without)
        assert sum("count(*)" in statement for statement in with_total) == 1

    asked(database_url, tmp_path, story)


def test_a_walk_that_asks_for_ids_alone_reads_nothing_else(database_url: str, tmp_path: Path) -> None:
    heard(database_url, completed("load", inputs=["raw"], outputs=["mart"]))

    async def story(ask: Asking) -> None:
        with counted(ask.web.services.engine) as statements:
            await ask.data('{ lineage(nodeId: "dataset:ns:raw") { nodeIds } }')
        # No snapshot of the relational rows is opened for it.
        assert not any("statement_timeout" in statement for statement in statements)

    asked(database_url, tmp_path, story)
