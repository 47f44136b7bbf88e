-- name: of_datasets
SELECT f.dataset_id, e.key, f.orders[(e.value->>0)::int + 1], b.body
FROM dataset_facet f CROSS JOIN jsonb_each(f.facets) e JOIN facet_body b ON b.digest = e.value->>1
WHERE f.dataset_id = ANY(%(ids)s::uuid[]) AND (%(names)s::text[] IS NULL OR e.key = ANY(%(names)s))
ORDER BY f.dataset_id, e.key COLLATE "C"

-- name: of_jobs
SELECT f.job_id, e.key, f.orders[(e.value->>0)::int + 1], b.body
FROM job_facet f CROSS JOIN jsonb_each(f.facets) e JOIN facet_body b ON b.digest = e.value->>1
WHERE f.job_id = ANY(%(ids)s::uuid[]) AND (%(names)s::text[] IS NULL OR e.key = ANY(%(names)s))
ORDER BY f.job_id, e.key COLLATE "C"

-- name: tellers
SELECT d.digest, f.run_id
FROM fact_digest d JOIN fact f ON f.position = d.position
WHERE d.digest = ANY(%(digests)s::bytea[]) AND f.run_id IS NOT NULL

-- name: events_of_runs
-- What was parked is not merged into the run either, and what retention has removed cannot be.
SELECT f.run_id, f.digest, f.body
FROM fact f
WHERE f.run_id = ANY(%(runs)s::uuid[]) AND f.kind = 'openlineage.run' AND f.position <= %(position)s
  AND NOT EXISTS (SELECT FROM parked p WHERE p.follower = 'state' AND p.position = f.position)
  AND f.body <> ''
LIMIT %(limit)s

-- name: tags
-- Bodies stand once each, however many things have them.
WITH told AS (
    SELECT facets->'tags'->>1 AS digest FROM dataset_facet WHERE facets ? 'tags'
    UNION
    SELECT facets->'tags'->>1 FROM job_facet WHERE facets ? 'tags'
)
SELECT DISTINCT tag->>'key' COLLATE "C" AS name
FROM told JOIN facet_body b ON b.digest = told.digest
CROSS JOIN LATERAL jsonb_path_query(convert_from(b.body, 'UTF8')::jsonb, '$.tags[*] ? (@.key.type() == "string")') AS tag
WHERE tag->>'key' <> ''
ORDER BY name LIMIT %(limit)s OFFSET %(offset)s
