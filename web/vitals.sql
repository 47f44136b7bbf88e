-- name: followers
-- Lag is what lies between a follower's cursor and the end of its log, in positions: 0 where nothing waits, else at
-- least 1 and at least as many as records wait (a duplicate draws a position too). It costs the same however far behind
-- a follower is, which counting the records would not.
SELECT f.name, f.position, f.processed, f.holder, f.updated_at, greatest(coalesce(log.last, 0) - f.position, 0), log.oldest_at,
       greatest(extract(epoch FROM clock_timestamp() - log.oldest_at), 0)::float8,
       (SELECT count(*) FROM parked p WHERE p.follower = f.name),
       f.left_position || ' is left to a newer release since '
           || to_char(f.left_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') || ': ' || f.left_reason
FROM follower f JOIN (
    SELECT s.name,
           coalesce((SELECT position FROM fact ORDER BY position DESC LIMIT 1), 0) AS last,
           (SELECT received_at FROM fact WHERE position > s.position ORDER BY position LIMIT 1) AS oldest_at
    FROM follower s WHERE s.name = 'state'
    UNION ALL
    SELECT g.name,
           coalesce((SELECT sequence FROM observation ORDER BY sequence DESC LIMIT 1), 0),
           (SELECT received_at FROM fact WHERE position = (
               SELECT position FROM observation WHERE sequence > g.position ORDER BY sequence LIMIT 1))
    FROM follower g WHERE g.name = 'graph'
    UNION ALL
    -- While there is no webhook, nothing in its log waits for anybody.
    SELECT w.name,
           CASE WHEN EXISTS (SELECT FROM webhook) THEN greatest(
               (SELECT position FROM version_event ORDER BY position DESC LIMIT 1),
               (SELECT position FROM pipeline_run_transition ORDER BY position DESC LIMIT 1)) ELSE 0 END,
           CASE WHEN EXISTS (SELECT FROM webhook) THEN (SELECT received_at FROM fact WHERE position = least(
               (SELECT position FROM version_event WHERE position > w.position ORDER BY position LIMIT 1),
               (SELECT position FROM pipeline_run_transition WHERE position > w.position ORDER BY position LIMIT 1))) END
    FROM follower w WHERE w.name = 'webhooks'
) AS log USING (name)
ORDER BY f.name <> 'state', f.name

-- name: jobs_in_queue
SELECT status::text, count(*) FROM procrastinate_jobs GROUP BY status

-- name: unknown_jobs
SELECT task_name, count(*) FROM procrastinate_jobs WHERE status = 'todo' AND task_name <> ALL (%(known)s::text[])
GROUP BY task_name

-- name: launch_hosts
SELECT name FROM host WHERE launches_at > clock_timestamp() - make_interval(secs => %(seconds)s) ORDER BY name, id

-- name: datasets
SELECT count(*) FROM dataset

-- name: lock_holder
SELECT a.pid, a.application_name, a.client_addr::text,
       extract(epoch FROM clock_timestamp() - coalesce(a.xact_start, a.state_change))::float8
FROM pg_locks l JOIN pg_stat_activity a USING (pid)
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND l.classid::bigint = %(key)s::bigint >> 32 AND l.objid::bigint = %(key)s::bigint & 4294967295

-- name: jobs
SELECT count(*) FROM job WHERE namespace <> 'headwater:definitions'

-- name: runs
SELECT count(*) FROM run

-- name: versions
SELECT count(*) FROM dataset_version

-- name: pipelines
-- A deleted one keeps its row for the sake of its history and is no pipeline any more.
SELECT count(*) FROM pipeline WHERE state <> 'deleted'

-- name: command_pipelines
-- Whoever has another launcher needs no worker that may run commands.
SELECT count(*) FROM pipeline p
WHERE state <> 'deleted' AND NOT EXISTS (
    SELECT FROM document d
    WHERE d.kind = 'Pipeline' AND d.name = p.name AND d.version = p.document_version
      AND NOT (d.body #> '{spec,launch}') ? 'command')

-- name: queued_versions
SELECT count(*) FROM input_queue

-- name: pipeline_runs
SELECT state, count(*) FROM pipeline_run GROUP BY state ORDER BY state
