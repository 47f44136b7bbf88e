"""Pipelines that cause each other, and what is asked of them over GraphQL."""

import datetime as dt
import uuid

from catalog.facts import version_report
from catalog.keys import DatasetKey
from tests.support.graphql import heard, latest_run, within
from tests.support.spine import T0, apply_fact, pipeline_body

CAUSES = """query ($id: ID!, $depth: Int! = 50, $most: Int! = 1000) { pipelineRun(id: $id) {
  causes(depth: $depth, maxNodes: $most) { complete reason nodes {
    index parent level kind text position repeated explainedAt at
    version { id dataset { id } } run { id } pipelineRun { id number } fact { kind actor position } } } } }"""
LINEAGE = """query ($node: ID!, $direction: Direction! = BOTH, $depth: Int! = 20, $most: Int! = 10000) {
  lineage(nodeId: $node, direction: $direction, depth: $depth, maxNodes: $most) {
    nodes { id kind name namespace } nodeIds edges { origin destination kind }
    completeness { complete reason frontier } position } }"""


def chained(database_url: str) -> list[uuid.UUID]:
    """Let three pipelines cause each other, the first by a report; return their runs, the first cause first."""
    heard(database_url, [apply_fact(*(pipeline_body(f"p{number}", f"d{number}") for number in range(3)))])
    report = version_report(DatasetKey("ns", "d0"), actor="ada", time=T0, key="k")
    heard(database_url, [report])
    runs = [latest_run(database_url, "p0")]
    for number in (1, 2):
        at = T0 + dt.timedelta(minutes=number)
        heard(
            database_url, within(runs[-1], f"p{number - 1}", f"step{number}", outputs=[f"d{number}"], at=at)
        )
        runs.append(latest_run(database_url, f"p{number}"))
    return runs
