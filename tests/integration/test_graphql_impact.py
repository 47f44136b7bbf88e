"""What a change may change, over GraphQL: columns where they are told of, and the pipelines that would start."""

import datetime as dt
from pathlib import Path
from typing import Any

from tests.support.graphql import Asking, asked, completed, heard
from tests.support.spine import T0, append, apply_fact, connect, follow, pipeline_body
from tests.support.statements import counted

IMPACT = """query ($node: ID!, $depth: Int! = 20, $most: Int! = 1000) {
  impact(nodeId: $node, depth: $depth, maxNodes: $most) {
    nodeId counts { datasets datasetsByColumns fields jobs }
    nodes { id kind namespace name field distance level path }
    pipelines { name starts round because waitingFor pipeline { name state } }
    completeness { complete reason frontier } position } }"""


def columns(**fields: str) -> dict[str, Any]:
    """A columnLineage facet: `p="a.q"` makes p of the column q of a."""
    made = {}
    for name, source in fields.items():
        table, column = source.split(".")
        made[name] = {"inputFields": [{"namespace": "ns", "name": table, "field": column}]}
    return {
        "columnLineage": {"_producer": "https://example.com", "_schemaURL": "https://x", "fields": made},
        "schema": {
            "_producer": "https://example.com",
            "_schemaURL": "https://x",
            "fields": [*({"name": name, "type": "text"} for name in fields), {"name": "quiet"}],
        },
    }


def flow() -> list[Any]:
    """raw > clean > mart by columns, mart > report without them."""
    later = [T0 + dt.timedelta(minutes=number) for number in range(3)]
    return [
        *completed(
            "clean",
            inputs=["raw"],
            outputs=["clean"],
            at=later[0],
            output_facets=columns(id="raw.id", n="raw.name"),
        ),
        *completed(
            "mart", inputs=["clean"], outputs=["mart"], at=later[1], output_facets=columns(key="clean.id")
        ),
        *completed("report", inputs=["mart"], outputs=["report"], at=later[2]),
    ]


def registered(database_url: str, *bodies: dict[str, Any]) -> None:
    with connect(database_url) as connection:
        append(connection, [apply_fact(*bodies)])
        follow(connection)


def test_a_field_is_followed_by_columns_and_then_by_tables(database_url: str, tmp_path: Path) -> None:
    heard(database_url, flow())

    async def story(ask: Asking) -> None:
        found = (await ask.data(IMPACT, {"node": "datasetField:ns:raw:id"}))["impact"]
        assert [(node["id"], node["distance"], node["level"]) for node in found["nodes"]] == [
            ("job:ns:clean", 1, None),
            ("dataset:ns:clean", 2, "COLUMNS"),
            ("datasetField:ns:clean:id", 2, None),
            ("job:ns:mart", 3, None),
            ("dataset:ns:mart", 4, "COLUMNS"),
            ("datasetField:ns:mart:key", 4, None),
            ("job:ns:report", 5, None),
            ("dataset:ns:report", 6, "TABLE"),
        ]
        assert found["counts"] == {"datasets": 3, "datasetsByColumns": 2, "fields": 2, "jobs": 3}
        assert found["nodes"][-1]["path"] == [
            "datasetField:ns:raw:id",
            "job:ns:clean",
            "datasetField:ns:clean:id",
            "job:ns:mart",
            "datasetField:ns:mart:key",
            "dataset:ns:mart",
            "job:ns:report",
            "dataset:ns:report",
        ]
        assert found["completeness"]["complete"]
        # The name ends in clean, which tells of its columns.
        name = (await ask.data(IMPACT, {"node": "datasetField:ns:raw:name"}))["impact"]
        assert [node["id"] for node in name["nodes"]] == [
            "job:ns:clean",
            "dataset:ns:clean",
            "datasetField:ns:clean:n",
        ]

    asked(database_url, tmp_path, story)


def test_a_column_of_which_no_lineage_tells_is_one_and_a_misspelt_one_is_not(
    database_url: str, tmp_path: Path
) -> None:
    heard(database_url, flow())

    async def story(ask: Asking) -> None:
        found = (await ask.data(IMPACT, {"node": "datasetField:ns:mart:quiet"}))["impact"]
        assert [node["id"] for node in found["nodes"]] == ["job:ns:report", "dataset:ns:report"]
        assert found["nodeId"] == "datasetField:ns:mart:quiet"
        for node in ("datasetField:ns:mart:qiet", "dataset:ns:nowhere", "datasetField:ns:nowhere:x"):
            assert await ask.code(IMPACT, {"node": node}) == "not-found"
        assert await ask.code(IMPACT, {"node": "run:0190c4a5-0000-7000-8000-000000000000"}) == "invalid-input"

    asked(database_url, tmp_path, story)


def test_the_answer_says_where_it_stopped(database_url: str, tmp_path: Path) -> None:
    heard(database_url, flow())

    async def story(ask: Asking) -> None:
        found = (await ask.data(IMPACT, {"node": "dataset:ns:raw", "depth": 2}))["impact"]
        assert found["completeness"]["reason"] == "DEPTH"
        assert found["completeness"]["frontier"] == ["dataset:ns:clean", "datasetField:ns:clean:id"]
        found = (await ask.data(IMPACT, {"node": "dataset:ns:raw", "most": 2}))["impact"]
        assert found["completeness"]["reason"] == "NODE_LIMIT"
        assert found["counts"]["jobs"] == 1

    asked(database_url, tmp_path, story)


def test_pipelines_that_would_start_and_those_that_would_wait(database_url: str, tmp_path: Path) -> None:
    heard(database_url, flow())
    also = {"all": [{"dataset": {"namespace": "ns", "name": name}} for name in ("report", "weather")]}
    registered(
        database_url,
        pipeline_body("publish", "mart", produces=[{"namespace": "ns", "name": "page"}]),
        pipeline_body("mail", "page"),
        pipeline_body("forecast", also),
        pipeline_body("unrelated", "elsewhere"),
    )

    async def story(ask: Asking) -> None:
        found = (await ask.data(IMPACT, {"node": "datasetField:ns:raw:id"}))["impact"]["pipelines"]
        assert [(one["name"], one["starts"], one["round"], one["because"]) for one in found] == [
            ("forecast", False, 1, ["dataset:ns:report"]),
            ("publish", True, 1, ["dataset:ns:mart"]),
            ("mail", True, 2, ["dataset:ns:page"]),
        ]
        assert found[0]["waitingFor"] == "a new version of dataset:ns:weather"
        assert found[1]["pipeline"] == {"name": "publish", "state": "ACTIVE"}
        # What is not made of the column starts nothing.
        quiet = (await ask.data(IMPACT, {"node": "datasetField:ns:raw:name"}))["impact"]["pipelines"]
        assert quiet == []

    asked(database_url, tmp_path, story)


def test_what_is_queued_already_and_other_names_count(database_url: str, tmp_path: Path) -> None:
    symlinks = {
        "_producer": "https://example.com",
        "_schemaURL": "https://x",
        "identifiers": [{"namespace": "ns", "name": "other_name", "type": "TABLE"}],
    }
    told = completed("name", outputs=["mart"], output_facets={"symlinks": symlinks})
    heard(database_url, [*told, *flow()])
    both = {"all": [{"dataset": {"namespace": "ns", "name": name}} for name in ("other_name", "weather")]}
    registered(database_url, pipeline_body("forecast", both))

    async def story(ask: Asking) -> None:
        async def forecast() -> dict[str, Any]:
            [found] = (await ask.data(IMPACT, {"node": "job:ns:clean"}))["impact"]["pipelines"]
            return dict(found)

        waiting = await forecast()
        assert (waiting["starts"], waiting["because"]) == (False, ["dataset:ns:other_name"])
        assert waiting["waitingFor"] == "a new version of dataset:ns:weather"
        heard(database_url, completed("observe", outputs=["weather"], at=T0 + dt.timedelta(hours=1)))
        assert (await forecast())["starts"]

    asked(database_url, tmp_path, story)


def test_many_nodes_cost_as_many_statements_as_few(database_url: str, tmp_path: Path) -> None:
    wide = completed("wide", inputs=["many"], outputs=[f"w{number}" for number in range(200)])
    heard(database_url, [*wide, *completed("narrow", inputs=["few"], outputs=["n"])])
    query = """query ($node: ID!) { impact(nodeId: $node) {
      nodes { id path dataset { name } job { name } } pipelines { pipeline { name } } } }"""

    async def story(ask: Asking) -> None:
        statements = []
        for node, nodes in (("dataset:ns:few", 2), ("dataset:ns:many", 201)):
            with counted(ask.web.services.engine) as seen:
                found = await ask.data(query, {"node": node})
            assert len(found["impact"]["nodes"]) == nodes
            statements.append(len(seen))
        assert statements[0] == statements[1]

    asked(database_url, tmp_path, story)


def test_paths_of_one_answer_are_bounded(database_url: str, tmp_path: Path) -> None:
    heard(
        database_url,
        [
            fact
            for number in range(75)
            for fact in completed(f"j{number}", inputs=[f"d{number}"], outputs=[f"d{number + 1}"])
        ],
    )
    paths = " ".join(f"p{number}: path" for number in range(99))
    query = f"""query ($depth: Int!) {{
      impact(nodeId: "dataset:ns:d0", depth: $depth, maxNodes: 160) {{ nodes {{ {paths} }} }} }}"""

    async def story(ask: Asking) -> None:
        assert await ask.code(query, {"depth": 150}) == "query-too-expensive"
        nodes = (await ask.data(query, {"depth": 20}))["impact"]["nodes"]
        assert len(nodes[-1]["p98"]) == 21

    asked(database_url, tmp_path, story)
