-- name: claim
INSERT INTO attempt_claim (run_id, attempt, host, boot) VALUES (%(run)s, %(attempt)s, %(host)s, %(boot)s)
ON CONFLICT (run_id, attempt) DO NOTHING RETURNING host, boot

-- name: claimed_by
SELECT host, boot FROM attempt_claim WHERE run_id = %(run)s AND attempt = %(attempt)s

-- name: outcome_known
SELECT EXISTS (SELECT FROM fact_digest WHERE digest = %(digest)s)

-- name: run
SELECT r.pipeline, r.number, r.attempt, r.due_position, r.due_at, r.cause, r.reason, d.body
FROM pipeline_run r
JOIN document d ON d.kind = 'Pipeline' AND d.name = r.pipeline AND d.version = r.document_version
WHERE r.id = %(run)s

-- name: consumed
SELECT d.namespace, d.name, v.id, v.partition, v.time, v.row_count, v.byte_count, v.run_id, c.sequence
FROM consumption c
JOIN dataset_version v ON v.id = c.version_id
JOIN dataset d ON d.id = v.dataset_id
WHERE c.run_id = %(run)s ORDER BY c.sequence, d.namespace, d.name
