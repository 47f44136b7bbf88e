-- name: pipeline_runs_above
WITH RECURSIVE chain AS (
    SELECT asked.id AS asked, asked.id AS run, 0 AS distance FROM unnest(%(ids)s::uuid[]) AS asked (id)
    UNION ALL
    SELECT chain.asked, r.parent_run_id, chain.distance + 1
    FROM chain JOIN run r ON r.id = chain.run
    WHERE r.parent_run_id IS NOT NULL AND chain.distance < %(distance)s
      AND NOT EXISTS (SELECT FROM pipeline_run p WHERE p.id = chain.run)
), candidate AS (
    SELECT asked, run, distance FROM chain
    UNION ALL
    -- A parent between may be unknown; the root is named all the same.
    SELECT asked.id, r.root_run_id, %(distance)s + 1
    FROM unnest(%(ids)s::uuid[]) AS asked (id) JOIN run r ON r.id = asked.id
)
SELECT DISTINCT ON (c.asked) c.asked, c.run
FROM candidate c JOIN pipeline_run p ON p.id = c.run
ORDER BY c.asked, c.distance

-- name: runs_below
WITH RECURSIVE below AS (
    SELECT asked.id AS asked, asked.id AS run FROM unnest(%(ids)s::uuid[]) AS asked (id)
    UNION
    SELECT below.asked, r.id FROM below JOIN run r ON r.parent_run_id = below.run
)
SELECT asked, run FROM below
UNION
SELECT asked.id, r.id FROM unnest(%(ids)s::uuid[]) AS asked (id)
JOIN run r ON r.root_run_id = asked.id AND r.root_run_id <> r.id
