-- name: by_id
SELECT id, dataset_id, state, origin, time, event_time, run_id, partition, version, lifecycle, schema_hash,
       row_count, byte_count, digest, position
FROM dataset_version WHERE id = ANY(%(ids)s::uuid[])

-- name: current
SELECT v.id, v.dataset_id, v.state, v.origin, v.time, v.event_time, v.run_id, v.partition, v.version, v.lifecycle,
       v.schema_hash, v.row_count, v.byte_count, v.digest, v.position
FROM unnest(%(datasets)s::uuid[]) AS asked (id)
CROSS JOIN LATERAL (
    SELECT * FROM dataset_version WHERE dataset_id = asked.id AND state = 'published'
    ORDER BY time DESC, id DESC LIMIT 1
) AS v

-- name: page
SELECT v.id, v.dataset_id, v.state, v.origin, v.time, v.event_time, v.run_id, v.partition, v.version, v.lifecycle,
       v.schema_hash, v.row_count, v.byte_count, v.digest, v.position
FROM unnest(%(datasets)s::uuid[]) AS asked (id)
CROSS JOIN LATERAL (
    SELECT * FROM dataset_version
    WHERE dataset_id = asked.id AND (time, id) < (%(after_time)s::timestamptz, %(after_id)s::uuid)
      AND (%(states)s::text[] IS NULL OR state = ANY(%(states)s))
    ORDER BY time DESC, id DESC LIMIT %(limit)s
) AS v
ORDER BY v.time DESC, v.id DESC

-- name: listed_of_dataset
SELECT id, dataset_id, state, origin, time, event_time, run_id, partition, version, lifecycle, schema_hash,
       row_count, byte_count, digest, position
FROM dataset_version WHERE dataset_id = %(dataset)s ORDER BY time DESC, id DESC LIMIT %(limit)s OFFSET %(offset)s

-- name: counts
SELECT dataset_id, count(*) FROM dataset_version
WHERE dataset_id = ANY(%(datasets)s::uuid[]) AND (%(states)s::text[] IS NULL OR state = ANY(%(states)s))
GROUP BY dataset_id

-- name: schema_page
SELECT v.id, v.dataset_id, v.state, v.origin, v.time, v.event_time, v.run_id, v.partition, v.version, v.lifecycle,
       v.schema_hash, v.row_count, v.byte_count, v.digest, v.position
FROM unnest(%(datasets)s::uuid[]) AS asked (id)
CROSS JOIN LATERAL (
    SELECT * FROM (
        SELECT *, lag(schema_hash) OVER (ORDER BY time, id) AS before FROM dataset_version
        WHERE dataset_id = asked.id AND state = 'published' AND schema_hash IS NOT NULL
    ) AS told
    WHERE before IS DISTINCT FROM schema_hash
      AND (time, id) < (%(after_time)s::timestamptz, %(after_id)s::uuid)
    ORDER BY time DESC, id DESC LIMIT %(limit)s
) AS v
ORDER BY v.time DESC, v.id DESC

-- name: schema_counts
SELECT dataset_id, count(*) FROM (
    SELECT dataset_id, schema_hash, lag(schema_hash) OVER (PARTITION BY dataset_id ORDER BY time, id) AS before
    FROM dataset_version
    WHERE dataset_id = ANY(%(datasets)s::uuid[]) AND state = 'published' AND schema_hash IS NOT NULL
) AS told
WHERE before IS DISTINCT FROM schema_hash GROUP BY dataset_id

-- name: of_runs
SELECT id, dataset_id, state, origin, time, event_time, run_id, partition, version, lifecycle, schema_hash,
       row_count, byte_count, digest, position
FROM dataset_version WHERE run_id = ANY(%(runs)s::uuid[]) ORDER BY dataset_id, time DESC, id DESC

-- name: current_at
SELECT asked.run_id, asked.dataset_id, v.id, v.dataset_id, v.state, v.origin, v.time, v.event_time, v.run_id,
       v.partition, v.version, v.lifecycle, v.schema_hash, v.row_count, v.byte_count, v.digest, v.position
FROM unnest(%(runs)s::uuid[], %(datasets)s::uuid[], %(instants)s::timestamptz[]) AS asked (run_id, dataset_id, at)
CROSS JOIN LATERAL (
    SELECT latest.* FROM (
        SELECT asked.dataset_id AS id
        UNION
        SELECT m.dataset_id FROM dataset_class c JOIN dataset_class m USING (class_id)
        WHERE c.dataset_id = asked.dataset_id
    ) AS names
    CROSS JOIN LATERAL (
        -- What is disputed by now was published then.
        SELECT * FROM dataset_version
        WHERE dataset_id = names.id AND time <= asked.at AND state IN ('published', 'disputed')
        ORDER BY time DESC, id DESC LIMIT 1
    ) AS latest
    ORDER BY latest.time DESC, latest.id DESC LIMIT 1
) AS v

-- name: consumed
SELECT c.run_id, c.sequence, c.input_id, v.id, v.dataset_id, v.state, v.origin, v.time, v.event_time, v.run_id,
       v.partition, v.version, v.lifecycle, v.schema_hash, v.row_count, v.byte_count, v.digest, v.position
FROM unnest(%(runs)s::uuid[]) AS asked (id)
CROSS JOIN LATERAL (
    SELECT * FROM consumption
    WHERE run_id = asked.id AND (sequence, input_id) > (%(after_sequence)s, %(after_input)s::uuid)
    ORDER BY sequence, input_id LIMIT %(limit)s
) AS c
JOIN dataset_version v ON v.id = c.version_id
ORDER BY c.run_id, c.sequence, c.input_id

-- name: consumed_counts
SELECT run_id, count(*) FROM consumption WHERE run_id = ANY(%(runs)s::uuid[]) GROUP BY run_id

-- name: consumers
SELECT DISTINCT version_id, run_id FROM consumption WHERE version_id = ANY(%(versions)s::uuid[])
