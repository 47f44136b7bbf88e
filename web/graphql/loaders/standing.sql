-- name: datasets
-- The newest version with columns is looked for only where the current one has none.
SELECT asked.id, d.first_seen_at, v.id, v.time, v.lifecycle, coalesce(v.schema_hash, s.schema_hash),
       coalesce((SELECT f.facets ?| %(describing)s::text[] FROM dataset_facet f WHERE f.dataset_id = asked.id), false)
FROM unnest(%(ids)b::uuid[]) AS asked (id)
JOIN dataset d ON d.id = asked.id
LEFT JOIN LATERAL (
    SELECT id, time, lifecycle, schema_hash FROM dataset_version
    WHERE dataset_id = asked.id AND state = 'published' ORDER BY time DESC, id DESC LIMIT 1
) AS v ON true
LEFT JOIN LATERAL (
    SELECT recent.schema_hash FROM (
        SELECT schema_hash, time, id FROM dataset_version
        WHERE dataset_id = asked.id AND state = 'published' AND v.schema_hash IS NULL
        ORDER BY time DESC, id DESC LIMIT 100
    ) AS recent
    WHERE recent.schema_hash IS NOT NULL ORDER BY recent.time DESC, recent.id DESC LIMIT 1
) AS s ON true

-- name: jobs
SELECT asked.id, j.first_seen_at, j.shape_at, j.shape_tiebreak, j.shape_hash, r.id, r.state, r.started_at, r.ended_at, p.id, p.name,
       coalesce((SELECT f.facets ?| %(describing)s::text[] FROM job_facet f WHERE f.job_id = asked.id), false)
FROM unnest(%(ids)b::uuid[]) AS asked (id)
JOIN job j ON j.id = asked.id
LEFT JOIN LATERAL (
    SELECT * FROM (
        (SELECT id, state, started_at, ended_at FROM run WHERE job_id = asked.id AND started_at IS NOT NULL
         ORDER BY started_at DESC, id DESC LIMIT 1)
        UNION ALL
        (SELECT id, state, started_at, ended_at FROM run WHERE job_id = asked.id AND started_at IS NULL
         ORDER BY coalesce(ended_at, '0001-01-01Z') DESC, id DESC LIMIT 1)
    ) AS found
    ORDER BY coalesce(started_at, ended_at, '0001-01-01Z') DESC, id DESC LIMIT 1
) AS r ON true
LEFT JOIN (
    SELECT DISTINCT ON (jp.job_id) jp.job_id, above.id, above.name
    FROM job_parent jp JOIN job above ON above.id = jp.parent_id
    WHERE jp.job_id = ANY(%(ids)b::uuid[])
    ORDER BY jp.job_id, above.namespace COLLATE "C", above.name COLLATE "C"
) AS p ON p.job_id = asked.id

-- name: schemas
SELECT hash, fields FROM dataset_schema WHERE hash = ANY(%(hashes)b::text[])

-- name: shapes
SELECT hash, body FROM shape WHERE hash = ANY(%(hashes)b::bytea[])
