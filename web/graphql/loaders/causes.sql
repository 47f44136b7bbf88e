-- name: commands
SELECT f.position, f.kind, f.actor, f.received_at FROM fact f WHERE f.position = ANY(%(positions)s::bigint[])
