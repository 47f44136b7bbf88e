-- name: append
SELECT * FROM append_facts(%(key)s, %(kinds)b::text[], %(event_times)b::timestamptz[], %(actors)b::text[],
    %(run_ids)b::uuid[], %(digests)b::bytea[], %(redactions)b::text[], %(bodies)b::bytea[])

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
