-- name: datasets
SELECT width_bucket(first_seen_at, %(bounds)s::timestamptz[]), count(*) FROM dataset GROUP BY 1

-- name: jobs
SELECT width_bucket(first_seen_at, %(bounds)s::timestamptz[]), count(*) FROM job
WHERE namespace <> 'headwater:definitions' GROUP BY 1

-- name: sources
SELECT width_bucket(first_seen_at, %(bounds)s::timestamptz[]), count(*)
FROM (SELECT namespace, min(first_seen_at) AS first_seen_at FROM dataset GROUP BY namespace) AS source GROUP BY 1

-- name: runs
SELECT width_bucket(at, %(bounds)s::timestamptz[]) AS interval, type, count(*)
FROM (
    SELECT started_at AS at, 'START' AS type FROM run
    WHERE started_at >= %(first)s::timestamptz AND started_at < %(last)s::timestamptz
    UNION ALL
    SELECT ended_at, state FROM run
    WHERE ended_at >= %(first)s AND ended_at < %(last)s AND state IN ('COMPLETE', 'FAIL', 'ABORT')
) AS told
GROUP BY 1, 2
