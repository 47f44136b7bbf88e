-- name: ascending
SELECT body, bytes FROM (
    SELECT event_time, position, body, octet_length(body) AS size,
           sum(octet_length(body)) OVER (ORDER BY event_time, position) AS bytes
    FROM (
        SELECT event_time, position, body FROM fact
        WHERE kind IN ('openlineage.run', 'openlineage.dataset', 'openlineage.job') AND kind = ANY(%(kinds)s::text[])
          AND event_time >= %(after)s::timestamptz AND event_time < %(before)s::timestamptz AND body <> ''
        ORDER BY event_time, position LIMIT %(limit)s OFFSET %(offset)s
    ) AS page
) AS events
WHERE bytes - size < %(most)s ORDER BY event_time, position

-- name: descending
SELECT body, bytes FROM (
    SELECT event_time, position, body, octet_length(body) AS size,
           sum(octet_length(body)) OVER (ORDER BY event_time DESC, position DESC) AS bytes
    FROM (
        SELECT event_time, position, body FROM fact
        WHERE kind IN ('openlineage.run', 'openlineage.dataset', 'openlineage.job') AND kind = ANY(%(kinds)s::text[])
          AND event_time >= %(after)s::timestamptz AND event_time < %(before)s::timestamptz AND body <> ''
        ORDER BY event_time DESC, position DESC LIMIT %(limit)s OFFSET %(offset)s
    ) AS page
) AS events
WHERE bytes - size < %(most)s ORDER BY event_time DESC, position DESC

-- name: count
-- Behind the position that retention has come to the index says it all.
SELECT (
    SELECT count(*) FROM fact
    WHERE kind IN ('openlineage.run', 'openlineage.dataset', 'openlineage.job') AND kind = ANY(%(kinds)s::text[])
      AND event_time >= %(after)s::timestamptz AND event_time < %(before)s::timestamptz AND position > %(removed)s
) + (
    SELECT count(*) FROM fact
    WHERE kind IN ('openlineage.run', 'openlineage.dataset', 'openlineage.job') AND kind = ANY(%(kinds)s::text[])
      AND event_time >= %(after)s::timestamptz AND event_time < %(before)s::timestamptz AND position <= %(removed)s
      AND body <> ''
)
