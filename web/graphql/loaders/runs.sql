-- name: by_id
SELECT id, job_id, state, started_at, ended_at, parent_run_id, root_run_id, position
FROM run WHERE id = ANY(%(ids)s::uuid[])

-- name: merged
SELECT id, merged FROM run WHERE id = ANY(%(ids)s::uuid[])

-- name: of_jobs
-- Runs that told their start are found by the index; those that did not are few, and listed by their end.
SELECT r.id, r.job_id, r.state, r.started_at, r.ended_at, r.parent_run_id, r.root_run_id, r.position
FROM unnest(%(jobs)s::uuid[]) AS asked (id)
CROSS JOIN LATERAL (
    SELECT * FROM (
        (SELECT * FROM run
         WHERE job_id = asked.id AND started_at IS NOT NULL
           AND started_at <= %(after_at)s::timestamptz
           AND (started_at < %(after_at)s OR id < %(after_id)s::uuid)
           AND (%(states)s::text[] IS NULL OR state = ANY(%(states)s))
         ORDER BY started_at DESC, id DESC LIMIT %(limit)s)
        UNION ALL
        (SELECT * FROM run
         WHERE job_id = asked.id AND started_at IS NULL
           AND (coalesce(ended_at, '0001-01-01Z'), id) < (%(after_at)s, %(after_id)s)
           AND (%(states)s::text[] IS NULL OR state = ANY(%(states)s))
         ORDER BY coalesce(ended_at, '0001-01-01Z') DESC, id DESC LIMIT %(limit)s)
    ) AS found
    ORDER BY coalesce(started_at, ended_at, '0001-01-01Z') DESC, id DESC LIMIT %(limit)s
) AS r
ORDER BY coalesce(r.started_at, r.ended_at, '0001-01-01Z') DESC, r.id DESC

-- name: listed_of_job
SELECT id, job_id, state, started_at, ended_at, parent_run_id, root_run_id, position FROM (
    (SELECT * FROM run WHERE job_id = %(job)s AND started_at IS NOT NULL
     ORDER BY started_at DESC, id DESC LIMIT %(limit)s + %(offset)s)
    UNION ALL
    (SELECT * FROM run WHERE job_id = %(job)s AND started_at IS NULL
     ORDER BY coalesce(ended_at, '0001-01-01Z') DESC, id DESC LIMIT %(limit)s + %(offset)s)
) AS found
ORDER BY coalesce(started_at, ended_at, '0001-01-01Z') DESC, id DESC LIMIT %(limit)s OFFSET %(offset)s

-- name: counts_of_jobs
SELECT job_id, count(*) FROM run
WHERE job_id = ANY(%(jobs)s::uuid[]) AND (%(states)s::text[] IS NULL OR state = ANY(%(states)s))
GROUP BY job_id

-- name: children
SELECT r.id, r.job_id, r.state, r.started_at, r.ended_at, r.parent_run_id, r.root_run_id, r.position
FROM unnest(%(parents)s::uuid[]) AS asked (id)
CROSS JOIN LATERAL (
    SELECT * FROM run
    WHERE parent_run_id = asked.id AND id <> asked.id
      AND (coalesce(started_at, ended_at, '0001-01-01Z'), id) < (%(after_at)s::timestamptz, %(after_id)s::uuid)
    ORDER BY coalesce(started_at, ended_at, '0001-01-01Z') DESC, id DESC LIMIT %(limit)s
) AS r
ORDER BY coalesce(r.started_at, r.ended_at, '0001-01-01Z') DESC, r.id DESC

-- name: counts_of_children
SELECT parent_run_id, count(*) FROM run
WHERE parent_run_id = ANY(%(parents)s::uuid[]) AND id <> parent_run_id GROUP BY parent_run_id

-- name: facts
SELECT f.run_id, f.position, f.kind, f.received_at, f.actor, f.redactions, f.body
FROM unnest(%(runs)s::uuid[]) AS asked (id)
CROSS JOIN LATERAL (
    SELECT * FROM fact WHERE run_id = asked.id AND position > %(after)s ORDER BY position LIMIT %(limit)s
) AS f
ORDER BY f.run_id, f.position

-- name: fact_counts
SELECT run_id, count(*) FROM fact WHERE run_id = ANY(%(runs)s::uuid[]) GROUP BY run_id

-- name: facts_at
SELECT position, kind, received_at, actor, redactions, body
FROM fact WHERE position = ANY(%(positions)s::bigint[])

-- name: removed_events
SELECT run_id, count(*) FROM fact WHERE run_id = ANY(%(runs)s::uuid[]) AND body = '' GROUP BY run_id
