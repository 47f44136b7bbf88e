-- name: by_id
SELECT id, pipeline, number, document_version, state, cause, actor, causal_depth, batch_open, attempt, attempts_left,
       due_position, due_at, started_at, ended_at, exit_code, reason, cancel_requested
FROM pipeline_run WHERE id = ANY(%(ids)s::uuid[])

-- name: by_range
SELECT id, pipeline, number, document_version, state, cause, actor, causal_depth, batch_open, attempt, attempts_left,
       due_position, due_at, started_at, ended_at, exit_code, reason, cancel_requested
FROM pipeline_run WHERE id BETWEEN %(least)s AND %(greatest)s ORDER BY id LIMIT %(limit)s

-- name: page
SELECT id, pipeline, number, document_version, state, cause, actor, causal_depth, batch_open, attempt, attempts_left,
       due_position, due_at, started_at, ended_at, exit_code, reason, cancel_requested
FROM pipeline_run
WHERE due_position <= %(after_position)s AND (due_position < %(after_position)s OR id > %(after_id)s::uuid)
  AND (%(states)s::text[] IS NULL OR state = ANY(%(states)s))
ORDER BY due_position DESC, id LIMIT %(limit)s

-- name: count
SELECT count(*) FROM pipeline_run WHERE %(states)s::text[] IS NULL OR state = ANY(%(states)s)

-- name: of_pipelines
SELECT r.id, r.pipeline, r.number, r.document_version, r.state, r.cause, r.actor, r.causal_depth, r.batch_open,
       r.attempt, r.attempts_left, r.due_position, r.due_at, r.started_at, r.ended_at, r.exit_code, r.reason,
       r.cancel_requested
FROM unnest(%(pipelines)s::text[]) AS asked (name)
CROSS JOIN LATERAL (
    SELECT * FROM pipeline_run
    WHERE pipeline = asked.name AND number < %(after)s
      AND (%(states)s::text[] IS NULL OR state = ANY(%(states)s))
    ORDER BY number DESC LIMIT %(limit)s
) AS r
ORDER BY r.pipeline, r.number DESC

-- name: counts_of_pipelines
SELECT pipeline, count(*) FROM pipeline_run
WHERE pipeline = ANY(%(pipelines)s::text[]) AND (%(states)s::text[] IS NULL OR state = ANY(%(states)s))
GROUP BY pipeline

-- name: transitions
SELECT run_id, from_state, to_state, attempt, at, position, actor, reason
FROM pipeline_run_transition WHERE run_id = ANY(%(runs)s::uuid[]) ORDER BY run_id, sequence

-- name: claims
SELECT c.run_id, c.attempt, c.host, coalesce(h.name, nullif(e.origin, '')), c.claimed_at
FROM attempt_claim c LEFT JOIN host h ON h.id = c.host LEFT JOIN engine_attempt e USING (run_id, attempt)
WHERE c.run_id = ANY(%(runs)s::uuid[])

-- name: engine_answers
SELECT run_id, attempt, told FROM engine_attempt WHERE run_id = ANY(%(runs)s::uuid[])

-- name: attempt_facts
SELECT run_id, kind, body FROM fact
WHERE run_id = ANY(%(runs)s::uuid[]) AND kind IN ('attempt.started', 'attempt.ended') ORDER BY position

-- name: outputs
SELECT asked, id, dataset_id, state, origin, time, event_time, run_id, partition, version, lifecycle, schema_hash,
       row_count, byte_count, digest, position
FROM (
    SELECT o.asked, v.*, row_number() OVER (PARTITION BY o.asked ORDER BY v.time, v.id) AS place
    FROM unnest(%(asked)s::uuid[], %(runs)s::uuid[]) AS o (asked, run)
    JOIN dataset_version v ON v.run_id = o.run
    WHERE (v.time, v.id) > (%(after_time)s::timestamptz, %(after_id)s::uuid)
) AS made
WHERE place <= %(limit)s ORDER BY time, id

-- name: output_counts
SELECT o.asked, count(*)
FROM unnest(%(asked)s::uuid[], %(runs)s::uuid[]) AS o (asked, run)
JOIN dataset_version v ON v.run_id = o.run GROUP BY o.asked
