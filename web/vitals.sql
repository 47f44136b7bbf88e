-- name: is_migrated
SELECT to_regclass('alembic_version') IS NOT NULL

-- name: revision
SELECT version_num FROM alembic_version

-- name: followers
WITH last_fact AS (
    SELECT coalesce((SELECT position FROM fact ORDER BY position DESC LIMIT 1), 0) AS position
), last_observation AS (
    SELECT coalesce((SELECT sequence FROM observation ORDER BY sequence DESC LIMIT 1), 0) AS sequence
), oldest AS (
    SELECT s.name,
           (SELECT received_at FROM fact WHERE position > s.position ORDER BY position LIMIT 1) AS received_at,
           greatest(l.position - s.position, 0) AS lag
    FROM follower s, last_fact l WHERE s.name = 'state'
    UNION ALL
    SELECT g.name,
           (SELECT received_at FROM fact WHERE position = (
               SELECT position FROM observation WHERE sequence > g.position ORDER BY sequence LIMIT 1)),
           greatest(l.sequence - g.position, 0)
    FROM follower g, last_observation l WHERE g.name = 'graph'
)
SELECT f.name, f.position, o.lag,
       greatest(extract(epoch FROM clock_timestamp() - o.received_at), 0)::float8,
       f.holder, extract(epoch FROM clock_timestamp() - f.updated_at)::float8, f.processed,
       (SELECT count(*) FROM parked p WHERE p.follower = f.name)
FROM follower f JOIN oldest o USING (name) ORDER BY f.name DESC

-- name: jobs
SELECT status::text, count(*) FROM procrastinate_jobs GROUP BY status

-- name: runs
SELECT state, count(*) FROM pipeline_run GROUP BY state

-- name: contents
SELECT (SELECT count(*) FROM dataset), (SELECT count(*) FROM job), (SELECT count(*) FROM run),
       (SELECT count(*) FROM pipeline), (SELECT count(*) FROM pipeline_run)
