-- name: runs
-- The reason of the first move says why the run is due; that of the run says why it is in its state.
SELECT r.id, r.pipeline, r.number, r.due_position, r.due_at, r.cause,
       (SELECT t.reason FROM pipeline_run_transition t WHERE t.run_id = r.id ORDER BY t.sequence LIMIT 1), d.body
FROM pipeline_run r
JOIN document d ON d.kind = 'Pipeline' AND d.name = r.pipeline AND d.version = r.document_version
WHERE r.id = ANY(%(runs)s::uuid[])

-- name: consumed
SELECT c.run_id, d.namespace, d.name, v.id, v.partition, v.time, v.row_count, v.byte_count, v.run_id
FROM consumption c
JOIN dataset_version v ON v.id = c.version_id
JOIN dataset d ON d.id = v.dataset_id
WHERE c.run_id = ANY(%(runs)s::uuid[]) ORDER BY c.run_id, c.sequence, d.namespace, d.name
