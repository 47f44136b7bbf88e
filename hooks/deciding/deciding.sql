-- name: runs_by_id
SELECT id, pipeline, number, document_version, state, cause, actor, causal_depth, batch_open, attempt,
       attempts_left, due_position, due_at, started_at, ended_at, exit_code, reason, cancel_requested
FROM pipeline_run WHERE id = ANY(%(ids)s::uuid[])

-- name: runs_by_pipeline
SELECT r.id, r.pipeline, r.number, r.document_version, r.state, r.cause, r.actor, r.causal_depth, r.batch_open,
       r.attempt, r.attempts_left, r.due_position, r.due_at, r.started_at, r.ended_at, r.exit_code, r.reason,
       r.cancel_requested
FROM unnest(%(pipelines)s::text[], %(limits)s::int[]) AS p (name, most)
CROSS JOIN LATERAL (
    (SELECT * FROM pipeline_run h
     WHERE h.pipeline = p.name AND h.state IN ('queued', 'launching', 'running', 'retrying'))
    UNION ALL
    -- Held runs get no slot, so they must not use up the limit.
    (SELECT * FROM pipeline_run w
     WHERE w.pipeline = p.name AND w.state = 'pending' ORDER BY w.number LIMIT p.most)
    UNION ALL
    (SELECT * FROM pipeline_run o
     WHERE o.pipeline = p.name AND o.state = 'pending' AND o.batch_open)
) AS r

-- name: numbers
SELECT name, next_number FROM pipeline WHERE name = ANY(%(names)s::text[])

-- name: depths
SELECT id, causal_depth FROM pipeline_run WHERE id = ANY(%(ids)s::uuid[])

-- name: queue_heads
SELECT q.pipeline, q.input_id, q.sequence, q.version_id, q.at, q.depth
FROM unnest(%(pipelines)s::text[], %(inputs)s::uuid[], %(limits)s::int[]) AS p (pipeline, input_id, most)
CROSS JOIN LATERAL (
    SELECT * FROM input_queue i WHERE i.pipeline = p.pipeline AND i.input_id = p.input_id
    ORDER BY i.sequence LIMIT p.most
) AS q

-- name: queue_all
SELECT pipeline, input_id, sequence, version_id, at, depth
FROM input_queue WHERE pipeline = %(pipeline)s ORDER BY input_id, sequence

-- name: enqueue
INSERT INTO input_queue (pipeline, input_id, sequence, version_id, at, depth)
SELECT * FROM unnest(%(pipelines)s::text[], %(inputs)s::uuid[], %(sequences)s::bigint[], %(versions)s::uuid[],
                     %(ats)s::timestamptz[], %(depths)s::int[])

-- name: dequeue
DELETE FROM input_queue q
USING unnest(%(pipelines)s::text[], %(inputs)s::uuid[], %(sequences)s::bigint[]) AS d (pipeline, input_id, sequence)
WHERE q.pipeline = d.pipeline AND q.input_id = d.input_id AND q.sequence = d.sequence

-- name: consume
INSERT INTO consumption (pipeline, input_id, version_id, run_id, sequence)
SELECT * FROM unnest(%(pipelines)s::text[], %(inputs)s::uuid[], %(versions)s::uuid[], %(runs)s::uuid[],
                     %(sequences)s::bigint[])

-- name: release
WITH released AS (
    DELETE FROM consumption WHERE run_id = %(run)s AND input_id = ANY(%(inputs)s::uuid[]) RETURNING pipeline, input_id, version_id, sequence
)
INSERT INTO input_queue (pipeline, input_id, sequence, version_id, at, depth)
SELECT r.pipeline, r.input_id, r.sequence, r.version_id, v.at, %(depth)s
FROM released r JOIN version_event v ON v.sequence = r.sequence

-- name: forget_version
DELETE FROM input_queue WHERE version_id = %(version)s

-- name: unclaimed_runs
SELECT id FROM pipeline_run WHERE state = ANY(%(states)s)

-- name: rename_installation
UPDATE installation SET original = coalesce(original, id), id = %(id)s

-- name: waiting_runs
SELECT id FROM pipeline_run WHERE pipeline = %(pipeline)s AND state IN ('pending', 'held')

-- name: save_runs
INSERT INTO pipeline_run (id, pipeline, number, document_version, state, cause, actor, causal_depth, batch_open,
    attempt, attempts_left, due_position, due_at, started_at, ended_at, exit_code, reason, cancel_requested)
SELECT * FROM unnest(%(id)s::uuid[], %(pipeline)s::text[], %(number)s::bigint[], %(document_version)s::int[],
    %(state)s::text[], %(cause)s::text[], %(actor)s::text[], %(causal_depth)s::int[], %(batch_open)s::boolean[],
    %(attempt)s::int[], %(attempts_left)s::int[], %(due_position)s::bigint[], %(due_at)s::timestamptz[],
    %(started_at)s::timestamptz[], %(ended_at)s::timestamptz[], %(exit_code)s::int[], %(reason)s::text[],
    %(cancel_requested)s::boolean[])
ON CONFLICT (id) DO UPDATE SET state = excluded.state, causal_depth = excluded.causal_depth,
    batch_open = excluded.batch_open, attempt = excluded.attempt, attempts_left = excluded.attempts_left,
    started_at = excluded.started_at, ended_at = excluded.ended_at, exit_code = excluded.exit_code,
    reason = excluded.reason, cancel_requested = excluded.cancel_requested

-- name: save_numbers
UPDATE pipeline p SET next_number = n.number
FROM unnest(%(names)s::text[], %(numbers)s::bigint[]) AS n (name, number) WHERE p.name = n.name

-- name: save_transitions
INSERT INTO pipeline_run_transition (run_id, from_state, to_state, attempt, at, position, actor, reason)
SELECT * FROM unnest(%(runs)s::uuid[], %(sources)s::text[], %(targets)s::text[], %(attempts)s::int[],
    %(ats)s::timestamptz[], %(positions)s::bigint[], %(actors)s::text[], %(reasons)s::text[])

-- name: save_decisions
INSERT INTO decision (id, pipeline, run_id, verdict, reason, rules, inputs, position, at)
SELECT id, pipeline, run_id, verdict, reason, rules::jsonb, inputs::jsonb, position, at
FROM unnest(%(ids)s::uuid[], %(pipelines)s::text[], %(runs)s::uuid[], %(verdicts)s::text[], %(reasons)s::text[],
    %(rules)s::text[], %(inputs)s::text[], %(positions)s::bigint[], %(ats)s::timestamptz[])
    AS d (id, pipeline, run_id, verdict, reason, rules, inputs, position, at)

-- name: save_results
INSERT INTO command_result (position, accepted, code, message, result)
SELECT position, accepted, code, message, result::jsonb
FROM unnest(%(positions)s::bigint[], %(accepted)s::boolean[], %(codes)s::text[], %(messages)s::text[],
    %(results)s::text[]) AS r (position, accepted, code, message, result)

-- name: claim_for_cancel
INSERT INTO attempt_claim (run_id, attempt, host) VALUES (%(run)s, %(attempt)s, '')
ON CONFLICT (run_id, attempt) DO NOTHING RETURNING host

-- name: claim_host
SELECT host FROM attempt_claim WHERE run_id = %(run)s AND attempt = %(attempt)s

-- name: registry
SELECT p.name, p.state, p.position, d.version, d.body
FROM pipeline p JOIN document d ON d.kind = 'Pipeline' AND d.name = p.name AND d.version = p.document_version
WHERE p.state <> 'deleted'

-- name: document_bodies
SELECT d.name, d.version, d.body FROM document d
JOIN unnest(%(names)s::text[], %(versions)s::int[]) AS w (name, version)
  ON d.name = w.name AND d.version = w.version
WHERE d.kind = 'Pipeline'

-- name: installation
SELECT id FROM installation

-- name: queue_every_version
-- Every version that the names of one input ever published.
INSERT INTO input_queue (pipeline, input_id, sequence, version_id, at, depth)
SELECT %(pipeline)s, %(input)s, v.sequence, v.version_id, v.at, 0
FROM version_event v JOIN dataset_version d ON d.id = v.version_id AND d.state <> 'withdrawn'
WHERE v.kind = 'published' AND v.dataset_ids && %(datasets)s::uuid[]
  AND NOT EXISTS (SELECT FROM consumption c WHERE c.pipeline = %(pipeline)s AND c.input_id = %(input)s
                  AND c.version_id = v.version_id)
ON CONFLICT DO NOTHING

-- name: queue_current_version
-- The current version of one input, whichever of its names it was published under.
INSERT INTO input_queue (pipeline, input_id, sequence, version_id, at, depth)
SELECT %(pipeline)s, %(input)s, v.sequence, v.version_id, v.at, 0
FROM (
    SELECT e.sequence, e.version_id, e.at
    FROM dataset_version d JOIN version_event e ON e.version_id = d.id AND e.kind = 'published'
    WHERE d.dataset_id = ANY(%(datasets)s::uuid[]) AND d.state = 'published'
    ORDER BY d.time DESC, d.id DESC, e.sequence DESC LIMIT 1
) AS v
WHERE NOT EXISTS (SELECT FROM consumption c WHERE c.pipeline = %(pipeline)s AND c.input_id = %(input)s
                  AND c.version_id = v.version_id)
ON CONFLICT DO NOTHING

-- name: newest_documents
SELECT d.kind, d.name, d.version, d.digest, d.body, d.deleted
FROM unnest(%(kinds)s::text[], %(names)s::text[]) AS asked (kind, name)
CROSS JOIN LATERAL (
    SELECT * FROM document WHERE kind = asked.kind AND name = asked.name ORDER BY version DESC LIMIT 1
) AS d

-- name: shapes_below
-- What each job asked for, and every job that runs within it, reads and writes now; each shape once.
WITH RECURSIVE below AS (
    SELECT asked.name, asked.job FROM unnest(%(names)s::text[], %(jobs)s::uuid[]) AS asked (name, job)
    UNION
    SELECT below.name, p.job_id FROM below JOIN job_parent p ON p.parent_id = below.job
)
SELECT told.name, s.body
FROM (SELECT DISTINCT below.name, j.shape_hash FROM below JOIN job j ON j.id = below.job) AS told
JOIN shape s ON s.hash = told.shape_hash

-- name: representatives
SELECT c.dataset_id, d.namespace, d.name FROM dataset_class c JOIN dataset d ON d.id = c.class_id
WHERE c.dataset_id = ANY(%(ids)s::uuid[])
