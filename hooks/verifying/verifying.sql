-- name: facts
SELECT position, kind, received_at, actor, run_id, digest, body FROM fact WHERE position > %(after)s ORDER BY position

-- name: facts_without_digest
SELECT f.position, d.position FROM fact f LEFT JOIN fact_digest d USING (digest)
WHERE d.position IS DISTINCT FROM f.position ORDER BY f.position

-- name: digests_without_fact
SELECT d.position FROM fact_digest d LEFT JOIN fact f USING (position)
WHERE f.position IS NULL ORDER BY d.position

-- name: ledger_size
SELECT count(*), coalesce(min(position), 0), coalesce(max(position), 0),
       (SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM fact_position) FROM fact

-- name: followers
SELECT f.name, f.position, f.processed,
       CASE WHEN f.name = 'state' THEN (SELECT count(*) FROM fact WHERE fact.position <= f.position)
            ELSE (SELECT count(*) FROM observation o WHERE o.sequence <= f.position) END,
       CASE WHEN f.name = 'state' THEN (SELECT coalesce(max(position), 0) FROM fact)
            -- Its log ends where the state follower stands.
            WHEN f.name = 'webhooks' THEN (SELECT position FROM follower WHERE name = 'state')
            ELSE (SELECT coalesce(max(sequence), 0) FROM observation) END
FROM follower f ORDER BY f.name DESC

-- name: parked_beyond
SELECT p.follower, p.position, f.position FROM parked p LEFT JOIN follower f ON f.name = p.follower
WHERE f.name IS NULL OR p.position > f.position ORDER BY 1, 2

-- name: parked_nothing
SELECT p.follower, p.position FROM parked p
WHERE NOT EXISTS (SELECT FROM fact f WHERE p.follower = 'state' AND f.position = p.position)
  AND NOT EXISTS (SELECT FROM observation o WHERE p.follower = 'graph' AND o.sequence = p.position)
  AND NOT EXISTS (SELECT FROM follower s WHERE p.follower = 'webhooks' AND s.name = 'state' AND p.position <= s.position)
ORDER BY 1, 2

-- name: columns
-- Of a table's columns, in order: name, type, and whether it belongs to the key (the primary one, else a unique one).
SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnum = ANY (i.indkey::int2[])
FROM pg_attribute a JOIN (
    SELECT indrelid, indkey FROM pg_index
    WHERE indrelid = %(table)s::regclass AND indisunique AND indpred IS NULL ORDER BY indisprimary DESC LIMIT 1
) AS i ON i.indrelid = a.attrelid
WHERE a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum

-- name: observation
-- Numbers that a transaction drew and did not use are no difference: a row is known by its place within its fact.
SELECT position, row_number() OVER (PARTITION BY position ORDER BY sequence), md5(ROW (kind, body)::text)
FROM observation ORDER BY 1, 2

-- name: command_result
-- Words decide nothing, and each release has its own: messages and reasons are not compared here and below, codes and
-- rules are. What looks like a credential is the opinion of the release that took the document.
SELECT position, md5(ROW (accepted, code, result - 'documents', (
    SELECT jsonb_agg(document - 'warnings' || jsonb_build_object('warnings', (
        SELECT jsonb_agg(warning - 'message') FROM jsonb_array_elements(document->'warnings') AS warning
        WHERE warning->>'code' <> 'credential-written-out')) ORDER BY place)
    FROM jsonb_array_elements(
        CASE jsonb_typeof(result->'documents') WHEN 'array' THEN result->'documents' ELSE '[]' END
    ) WITH ORDINALITY AS each (document, place)))::text)
FROM command_result ORDER BY 1

-- name: version_event
SELECT position, row_number() OVER (PARTITION BY position ORDER BY sequence),
       md5(ROW (at, kind, version_id, dataset_ids, run_ids)::text)
FROM version_event ORDER BY 1, 2

-- name: pipeline_run_transition
SELECT run_id, row_number() OVER (PARTITION BY run_id ORDER BY sequence),
       md5(ROW (from_state, to_state, attempt, at, position, actor)::text)
FROM pipeline_run_transition ORDER BY 1, 2

-- name: input_queue
SELECT q.pipeline COLLATE "C", q.input_id, q.version_id, md5(ROW (v.position, v.ordinal, q.at, q.depth)::text)
FROM input_queue q LEFT JOIN (
    SELECT sequence, position, row_number() OVER (PARTITION BY position ORDER BY sequence) AS ordinal FROM version_event
) AS v USING (sequence)
ORDER BY 1, 2, 3

-- name: consumption
SELECT c.pipeline COLLATE "C", c.input_id, c.version_id, md5(ROW (v.position, v.ordinal, c.run_id)::text)
FROM consumption c LEFT JOIN (
    SELECT sequence, position, row_number() OVER (PARTITION BY position ORDER BY sequence) AS ordinal FROM version_event
) AS v USING (sequence)
ORDER BY 1, 2, 3

-- name: decision
SELECT id, md5(ROW (pipeline, run_id, verdict, rules, position, at, (
    SELECT jsonb_agg(input - 'sequence' ORDER BY place)
    FROM jsonb_array_elements(inputs) WITH ORDINALITY AS each (input, place)))::text)
FROM decision ORDER BY 1

-- name: jobs_of_attempts
-- Attempts that were granted, and how many jobs launch each: a retry grants the attempt after the one that ended.
-- Of what a checkpoint holds the jobs are not known.
SELECT coalesce(g.run_id, j.run_id), coalesce(g.attempt, j.attempt), coalesce(g.count, 0), coalesce(j.count, 0)
FROM (
    SELECT run_id, CASE to_state WHEN 'retrying' THEN attempt + 1 ELSE attempt END AS attempt, count(*) AS count
    FROM pipeline_run_transition WHERE to_state IN ('queued', 'retrying') AND sequence > %(after)s GROUP BY 1, 2
) AS g FULL JOIN (
    SELECT (pair->>0)::uuid AS run_id, (pair->>1)::int AS attempt, count(*) AS count
    FROM procrastinate_jobs CROSS JOIN LATERAL jsonb_array_elements(args->'attempts') AS pair
    WHERE jsonb_typeof(args->'attempts') = 'array' GROUP BY 1, 2
) AS j USING (run_id, attempt)
WHERE g.count IS DISTINCT FROM j.count OR g.count > 1
ORDER BY 1, 2

-- name: last_transition
SELECT coalesce(max(sequence), 0) FROM pipeline_run_transition

-- name: transitions
SELECT t.run_id, t.from_state, t.to_state, t.attempt, r.state, r.attempt
FROM pipeline_run_transition t LEFT JOIN pipeline_run r ON r.id = t.run_id
ORDER BY t.run_id, t.sequence

-- name: runs_without_transitions
SELECT id FROM pipeline_run r WHERE NOT EXISTS (SELECT FROM pipeline_run_transition t WHERE t.run_id = r.id)
ORDER BY id

-- name: consumption_faults
SELECT c.pipeline, c.version_id, c.run_id, CASE
    WHEN r.id IS NULL THEN 'is consumed by a run that does not exist'
    WHEN r.pipeline <> c.pipeline THEN 'is consumed by a run of another pipeline'
    WHEN e.sequence IS NULL THEN 'is consumed and was never published'
    WHEN v.id IS NULL THEN 'is consumed and does not exist'
    ELSE 'is consumed and waits all the same' END
FROM consumption c
LEFT JOIN pipeline_run r ON r.id = c.run_id
LEFT JOIN dataset_version v ON v.id = c.version_id
LEFT JOIN version_event e ON e.sequence = c.sequence AND e.version_id = c.version_id AND e.kind = 'published'
LEFT JOIN input_queue q ON q.pipeline = c.pipeline AND q.input_id = c.input_id AND q.version_id = c.version_id
WHERE r.id IS NULL OR r.pipeline <> c.pipeline OR v.id IS NULL OR e.sequence IS NULL OR q.version_id IS NOT NULL
ORDER BY c.pipeline, c.version_id

-- name: given_back
-- What runs that did not succeed gave back (onFailure: release): it waits for the next version to come.
SELECT DISTINCT (input->>'sequence')::bigint
FROM decision d
JOIN pipeline_run r ON r.id = d.run_id AND r.ended_at IS NOT NULL AND r.state <> 'succeeded'
JOIN document o ON o.kind = 'Pipeline' AND o.name = r.pipeline AND o.version = r.document_version
CROSS JOIN LATERAL jsonb_array_elements(d.inputs) AS input
WHERE d.pipeline = %(pipeline)s AND o.body #>> '{spec,onFailure}' = 'release'

-- name: counts
SELECT (SELECT count(*) FROM consumption), (SELECT count(*) FROM pipeline_run), (SELECT count(*) FROM attempt_claim)

-- name: open_runs
SELECT id, attempt, state FROM pipeline_run WHERE state = ANY (%(states)s)

-- name: attempts_of_jobs
SELECT DISTINCT run_id, attempt FROM (
    SELECT (pair->>0)::uuid AS run_id, (pair->>1)::int AS attempt
    FROM procrastinate_jobs CROSS JOIN LATERAL jsonb_array_elements(args->'attempts') AS pair
    WHERE status IN ('todo', 'doing') AND jsonb_typeof(args->'attempts') = 'array'
    UNION ALL
    SELECT (args->>'run_id')::uuid, (args->>'attempt')::int FROM procrastinate_jobs
    WHERE status IN ('todo', 'doing') AND args ? 'run_id' AND args ? 'attempt'
) AS named

-- name: existing_runs
SELECT id FROM pipeline_run WHERE id = ANY (%(ids)s::uuid[])

-- name: known_digests
SELECT digest FROM fact_digest WHERE digest = ANY (%(digests)b::bytea[])

-- name: claims
SELECT c.run_id, c.attempt, c.host, r.attempt FROM attempt_claim c LEFT JOIN pipeline_run r ON r.id = c.run_id
ORDER BY c.run_id, c.attempt

-- name: attempt_facts
SELECT f.run_id, f.position, f.kind, f.body FROM fact f
WHERE f.kind IN ('attempt.claimed', 'attempt.started', 'attempt.ended') ORDER BY f.run_id, f.position

-- name: claims_of_runs
SELECT run_id, attempt, host FROM attempt_claim WHERE run_id = ANY (%(ids)s::uuid[])
