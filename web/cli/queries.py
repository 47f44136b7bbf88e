"""Every GraphQL operation of the command line; a test holds each of them against the schema."""

from typing import Final

_RUN = """
fragment RunParts on PipelineRun {
  id pipelineName number documentVersion state reason cause actor attempt attemptsLeft
  duePosition dueAt startedAt endedAt exitCode cancelRequested
}
"""

APPLY: Final = """
mutation Apply($documents: [JSON!]!, $dryRun: Boolean!, $key: String!) {
  applyDocuments(documents: $documents, dryRun: $dryRun, idempotencyKey: $key) {
    dryRun
    position
    documents {
      kind name version change text
      differences { pointer added removed old new }
      warnings { code message dataset }
    }
  }
}
"""

DELETE: Final = """
mutation Delete($kind: String!, $name: String!, $key: String!) {
  deleteDocument(kind: $kind, name: $name, idempotencyKey: $key) {
    position
    document { kind name version deleted }
  }
}
"""

PAUSE: Final = """
mutation Pause($pipeline: String!, $key: String!) {
  pausePipeline(pipeline: $pipeline, idempotencyKey: $key) { position pipeline { name state } }
}
"""

RESUME: Final = """
mutation Resume($pipeline: String!, $key: String!) {
  resumePipeline(pipeline: $pipeline, idempotencyKey: $key) { position pipeline { name state } }
}
"""

PAUSE_ALL: Final = """
mutation PauseAll($reason: String, $key: String!) {
  pauseAll(reason: $reason, idempotencyKey: $key) { position pause { at actor reason } }
}
"""

RESUME_ALL: Final = """
mutation ResumeAll($key: String!) {
  resumeAll(idempotencyKey: $key) { position pause { at actor reason } }
}
"""

TRIGGER: Final = (
    _RUN
    + """
mutation Trigger($pipeline: String!, $reason: String, $key: String!) {
  trigger(pipeline: $pipeline, reason: $reason, idempotencyKey: $key) {
    position
    pipelineRun { ...RunParts }
  }
}
"""
)

CANCEL: Final = (
    _RUN
    + """
mutation Cancel($id: ID!, $reason: String, $key: String!) {
  cancelRun(id: $id, reason: $reason, idempotencyKey: $key) { position pipelineRun { ...RunParts } }
}
"""
)

RETRY: Final = (
    _RUN
    + """
mutation Retry($id: ID!, $reason: String, $key: String!) {
  retryRun(id: $id, reason: $reason, idempotencyKey: $key) { position pipelineRun { ...RunParts } }
}
"""
)

PIPELINES: Final = (
    _RUN
    + """
query Pipelines($first: Int!, $after: String) {
  pipelines(first: $first, after: $after) {
    nodes {
      name state owner description documentVersion
      condition { satisfied waitingFor queued }
      latestRun { ...RunParts }
    }
    pageInfo { hasNextPage endCursor }
    position
  }
}
"""
)

RUN_NAMES: Final = """
query RunNames($filter: PipelineRunFilter, $first: Int!, $after: String) {
  pipelineRuns(filter: $filter, first: $first, after: $after) {
    nodes { id pipelineName number }
    pageInfo { hasNextPage endCursor }
  }
}
"""

RUN_BY_PREFIX: Final = """
query RunByPrefix($prefix: String!) {
  pipelineRun(idPrefix: $prefix) { id }
}
"""

RUNS: Final = (
    _RUN
    + """
query Runs($filter: PipelineRunFilter, $first: Int!, $after: String) {
  pipelineRuns(filter: $filter, first: $first, after: $after) {
    nodes { ...RunParts }
    pageInfo { hasNextPage endCursor }
    position
  }
}
"""
)

RUN: Final = (
    _RUN
    + """
query PipelineRun($id: ID!) {
  pipelineRun(id: $id) {
    ...RunParts
    transitions { fromState toState attempt at position actor reason }
    attempts { number hostName claimedAt startedAt endedAt outcome exitCode reason }
    consumedVersions(first: 100) {
      nodes { id state time partition rowCount dataset { id } }
      pageInfo { hasNextPage }
    }
    outputs(first: 100) {
      nodes { id state time partition rowCount dataset { id } }
      pageInfo { hasNextPage }
    }
  }
}
"""
)

WATCH: Final = """
subscription Watch($pipeline: String, $states: [PipelineRunState!], $after: Long) {
  pipelineRunChanged(pipeline: $pipeline, states: $states, after: $after) {
    cursor
    position
    transition { fromState toState attempt at actor reason }
    pipelineRun { id pipelineName number }
  }
}
"""

RUN_STATE: Final = (
    _RUN
    + """
query RunState($id: ID!) {
  pipelineRun(id: $id) { ...RunParts }
}
"""
)

LOGS: Final = """
query Logs($id: ID!, $attempt: Int, $maxBytes: Int!) {
  pipelineRun(id: $id) {
    id pipelineName number state attempt
    logs(attempt: $attempt, maxBytes: $maxBytes) { attempt available reason text droppedBytes }
  }
}
"""

WHY: Final = (
    _RUN
    + """
query Why($id: ID!, $depth: Int!, $maxNodes: Int!) {
  pipelineRun(id: $id) {
    ...RunParts
    causes(depth: $depth, maxNodes: $maxNodes) {
      complete
      reason
      nodes {
        index parent level kind text at position repeated explainedAt
        version { id state time partition rowCount dataset { id } }
        run { id state startedAt endedAt job { id } }
        pipelineRun { id pipelineName number state dueAt startedAt endedAt }
      }
    }
  }
}
"""
)

WHY_NOT: Final = (
    _RUN
    + """
fragment ConditionParts on Condition {
  level kind label satisfied since durationSeconds waitingFor queued leaf dataset
}
query WhyNot($name: String!, $going: [PipelineRunState!]!) {
  pipeline(name: $name) {
    name state halted batching concurrency launcher
    condition { ...ConditionParts descendants { ...ConditionParts } }
    going: runs(first: 100, states: $going) { totalCount nodes { ...RunParts } }
    waiting: runs(first: 100, states: [PENDING]) { totalCount nodes { ...RunParts } }
    held: runs(first: 100, states: [HELD]) { totalCount nodes { ...RunParts } }
    latestRun { ...RunParts }
  }
  status { lag { positions seconds } parkedCount launchHosts pause { at actor reason } }
}
"""
)

LINEAGE: Final = """
query Lineage($node: ID!, $direction: Direction!, $depth: Int!, $maxNodes: Int!) {
  lineage(nodeId: $node, direction: $direction, depth: $depth, maxNodes: $maxNodes) {
    nodes { id kind namespace name }
    edges { origin destination kind }
    completeness { complete reason frontier }
    position
  }
}
"""

IMPACT: Final = """
query Impact($node: ID!, $depth: Int!, $maxNodes: Int!) {
  impact(nodeId: $node, depth: $depth, maxNodes: $maxNodes) {
    nodeId
    counts { datasets datasetsByColumns fields jobs }
    nodes { id kind namespace name field distance level path }
    pipelines { name starts round because waitingFor }
    completeness { complete reason frontier }
    position
  }
  status { pause { at actor reason } }
}
"""

SEARCH: Final = """
query Search($text: String!, $filters: SearchFilter, $first: Int!) {
  search(text: $text, filters: $filters, first: $first) {
    nodes { id kind namespace name match foundIn { field text column match } }
    totalCount
    complete
    reason
    position
  }
}
"""

STATUS: Final = """
query Status {
  status {
    now position graphPosition ledgerPosition parkedCount pause { at actor reason }
    eventsRemoved { until receivedBefore position at actor }
    lag { positions oldestAt seconds }
    followers { name cursor processed parked holder updatedAt lag { positions oldestAt seconds } }
    counts { datasets jobs runs versions pipelines queuedVersions pipelineRuns { state count } }
  }
}
"""
