-- name: runs_end
SELECT coalesce(max(sequence), 0) FROM pipeline_run_transition

-- name: runs_page
SELECT t.sequence, t.position, t.run_id, r.pipeline, t.from_state, t.to_state, t.attempt, t.at, t.actor, t.reason
FROM pipeline_run_transition t JOIN pipeline_run r ON r.id = t.run_id
WHERE t.sequence > %(after)s ORDER BY t.sequence LIMIT %(limit)s

-- name: versions_end
SELECT coalesce(max(sequence), 0) FROM version_event

-- name: versions_page
SELECT sequence, position, kind, at, version_id, dataset_ids
FROM version_event WHERE sequence > %(after)s ORDER BY sequence LIMIT %(limit)s
