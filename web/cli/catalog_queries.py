"""What `headwater dataset` and `headwater job` ask."""

from typing import Final

DATASET: Final = """
query Dataset($node: ID!, $first: Int!) {
  dataset(nodeId: $node) {
    id namespace name firstSeenAt
    shownName { id }
    aliases { dataset { id } type }
    description
    owners { name type }
    tags { key value field }
    datasetType { type subType }
    fields { ...Column fields { ...Column fields { ...Column } } }
    currentVersion { id state time rowCount byteCount lifecycle run { id job { id } } }
    versions(first: $first) { totalCount nodes { id state time rowCount byteCount lifecycle runId } }
    producers(first: 100) { jobs { id } completeness { complete reason frontier } }
    consumers(first: 100) { jobs { id } completeness { complete reason frontier } }
    facets { name body }
  }
  position
}
fragment Column on SchemaField { name type description }
"""

JOB: Final = """
query Job($node: ID!, $first: Int!) {
  job(nodeId: $node) {
    id namespace name firstSeenAt shapeAt
    description
    owners { name type }
    tags { key value field }
    jobType { processingType integration jobType }
    sql
    parents { id }
    pipeline { name state }
    inputs { id }
    outputs { id }
    runs(first: $first) { totalCount nodes { id state startedAt endedAt errorMessage } }
    facets { name body }
  }
  position
}
"""
