-- name: listed
SELECT namespace, min(first_seen_at), max(first_seen_at)
FROM (
    SELECT namespace, first_seen_at FROM dataset
    UNION ALL
    SELECT namespace, first_seen_at FROM job WHERE %(with_jobs)s AND namespace <> 'headwater:definitions'
) AS named
GROUP BY namespace ORDER BY namespace COLLATE "C" LIMIT %(limit)s OFFSET %(offset)s

-- name: by_name
SELECT namespace, min(first_seen_at), max(first_seen_at)
FROM (
    SELECT namespace, first_seen_at FROM dataset
    WHERE left(namespace, 256) = left(%(name)s::text, 256) AND namespace = %(name)s
    UNION ALL
    SELECT namespace, first_seen_at FROM job
    WHERE left(namespace, 256) = left(%(name)s::text, 256) AND namespace = %(name)s AND %(with_jobs)s
) AS named
GROUP BY namespace
