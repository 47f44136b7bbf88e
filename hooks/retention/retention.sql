-- name: received_at
-- Of the first fact at the position or behind it.
SELECT received_at FROM fact WHERE position >= %(position)s ORDER BY position LIMIT 1

-- name: state_cursor
SELECT position FROM follower WHERE name = 'state'

-- name: events_between
SELECT EXISTS (SELECT FROM fact WHERE position > %(after)s AND position <= %(until)s
    AND kind IN ('openlineage.run', 'openlineage.dataset', 'openlineage.job') AND body <> '')

-- name: done_to
SELECT done_to FROM removal

-- name: waiting
SELECT position FROM removal_waiting WHERE position > %(after)s AND position <= %(until)s ORDER BY position LIMIT %(limit)s

-- name: take
-- A run's events keep their bodies together while one of its facts lies behind the checkpoint, is parked, or was applied
-- behind the checkpoint: whoever follows the ledger again from there needs it, and half of a run's events tell nothing.
WITH late AS MATERIALIZED (
    SELECT f.position, f.run_id FROM fact f JOIN (
        SELECT position FROM parked WHERE follower = 'state'
        UNION SELECT position FROM applied_late WHERE follower = 'state' AND position <= %(until)s AND after > %(until)s
    ) AS l USING (position)
), candidate AS MATERIALIZED (
    SELECT f.position, f.run_id, octet_length(f.body) AS bytes FROM fact f
    WHERE (f.position > %(after)s AND f.position <= %(to)s OR f.position = ANY(%(positions)s::bigint[]))
      AND f.kind IN ('openlineage.run', 'openlineage.dataset', 'openlineage.job') AND f.body <> ''
), judged AS MATERIALIZED (
    SELECT c.position, c.bytes,
           EXISTS (SELECT FROM late l WHERE l.position = c.position OR l.run_id = c.run_id)
           OR EXISTS (SELECT FROM fact b WHERE b.run_id = c.run_id AND b.position > %(until)s) AS kept
    FROM candidate c
), taken AS (
    UPDATE fact f SET body = '' FROM judged j
    WHERE NOT j.kept AND f.position = j.position AND (f.position > %(after)s AND f.position <= %(to)s
                                                      OR f.position = ANY(%(positions)s::bigint[]))
    RETURNING j.bytes
), settled AS (
    DELETE FROM removal_waiting w
    WHERE w.position = ANY(%(positions)s::bigint[]) AND w.position NOT IN (SELECT position FROM judged WHERE kept)
), put_off AS (
    INSERT INTO removal_waiting (position) SELECT position FROM judged WHERE kept ON CONFLICT DO NOTHING
), counted AS (
    UPDATE removal SET done_to = greatest(done_to, %(to)s), events = events + (SELECT count(*) FROM taken),
                       bytes = bytes + (SELECT coalesce(sum(bytes), 0) FROM taken)
)
SELECT count(*), coalesce(sum(bytes), 0)::bigint FROM taken

-- name: takeable
-- What a round up to the position would take.
WITH late AS MATERIALIZED (
    SELECT f.position, f.run_id FROM fact f JOIN (
        SELECT position FROM parked WHERE follower = 'state'
        UNION SELECT position FROM applied_late WHERE follower = 'state' AND position <= %(until)s AND after > %(until)s
    ) AS l USING (position)
)
SELECT count(*), coalesce(sum(octet_length(f.body)), 0)::bigint FROM fact f
WHERE (f.position > %(after)s AND f.position <= %(until)s OR f.position IN (SELECT position FROM removal_waiting))
  AND f.kind IN ('openlineage.run', 'openlineage.dataset', 'openlineage.job') AND f.body <> ''
  AND NOT EXISTS (SELECT FROM late l WHERE l.position = f.position OR l.run_id = f.run_id)
  AND NOT EXISTS (SELECT FROM fact b WHERE b.run_id = f.run_id AND b.position > %(until)s)

-- name: drop_checkpoints
DELETE FROM checkpoint WHERE until < %(until)s

-- name: standing
SELECT r.done_to, r.events, r.bytes, (SELECT count(*) FROM removal_waiting), c.until, c.made_at,
       (SELECT coalesce(sum(octet_length(content)), 0)::bigint FROM checkpoint_part p WHERE p.until = c.until)
FROM removal r LEFT JOIN (SELECT until, made_at FROM checkpoint ORDER BY until DESC LIMIT 1) AS c ON true

-- name: made_at
SELECT max(made_at) FROM checkpoint
