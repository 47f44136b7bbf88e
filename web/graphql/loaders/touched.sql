-- name: mark
SELECT coalesce((SELECT sequence FROM version_event ORDER BY sequence DESC LIMIT 1), 0),
       (SELECT coalesce(string_agg(position || ' ' || attempts, ',' ORDER BY position), '')
        FROM parked WHERE follower = 'state')

-- name: heard
SELECT kind, sum(octet_length(body))::bigint FROM fact
WHERE position > %(after)s AND position <= %(until)s GROUP BY kind

-- name: bodies
SELECT body FROM fact WHERE position > %(after)s AND position <= %(until)s AND kind = ANY(%(kinds)s::text[])

-- name: of_runs
SELECT job_id FROM run WHERE id = ANY(%(runs)s::uuid[])
UNION
SELECT dataset_id FROM dataset_version WHERE run_id = ANY(%(runs)s::uuid[])

-- name: versions
SELECT DISTINCT unnest(dataset_ids) FROM version_event WHERE sequence > %(after)s
