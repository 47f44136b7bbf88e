-- name: lock_append
SELECT pg_advisory_xact_lock(%(key)s)

-- name: append
WITH incoming AS (
    SELECT * FROM unnest(
        %(kinds)b::text[], %(event_times)b::timestamptz[], %(actors)b::text[], %(run_ids)b::uuid[],
        %(digests)b::bytea[], %(redactions)b::text[], %(bodies)b::bytea[]
    ) WITH ORDINALITY AS i (kind, event_time, actor, run_id, digest, redactions, body, ordinal)
), fresh AS (
    INSERT INTO fact_digest (digest, position)
    SELECT digest, nextval('fact_position') FROM incoming ORDER BY ordinal
    ON CONFLICT (digest) DO NOTHING
    RETURNING digest, position
), inserted AS (
    INSERT INTO fact (position, kind, received_at, event_time, actor, run_id, digest, redactions, body)
    SELECT f.position, i.kind, clock_timestamp(), i.event_time, i.actor, i.run_id, i.digest,
           CASE WHEN i.redactions = '' THEN '{}' ELSE string_to_array(i.redactions, E'\n') END, i.body
    FROM fresh f JOIN incoming i USING (digest)
)
SELECT digest, position FROM fresh

-- name: known_positions
SELECT digest, position FROM fact_digest WHERE digest = ANY(%(digests)b::bytea[])

-- name: notify
SELECT pg_notify('headwater_facts', '')

-- name: read_after
SELECT position, kind, received_at, actor, run_id, digest, body
FROM fact WHERE position > %(after)s ORDER BY position LIMIT %(limit)s

-- name: read_positions
SELECT position, kind, received_at, actor, run_id, digest, body
FROM fact WHERE position = ANY(%(positions)s::bigint[]) ORDER BY position

-- name: read_run
SELECT position, kind, received_at, actor, run_id, digest, body
FROM fact WHERE run_id = %(run_id)s ORDER BY position LIMIT %(limit)s

-- name: last_position
SELECT coalesce((SELECT position FROM fact ORDER BY position DESC LIMIT 1), 0)

-- name: partitions
SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'fact'::regclass
