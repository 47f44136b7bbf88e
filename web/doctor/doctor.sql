-- name: server
SELECT current_setting('server_version_num')::int, current_setting('server_version')

-- name: durability
SELECT name, setting FROM pg_settings
WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit') ORDER BY name

-- name: clock
SELECT clock_timestamp()

-- name: parked
SELECT follower, count(*), min(position), (array_agg(error_code ORDER BY position))[1]
FROM parked GROUP BY follower ORDER BY follower

-- name: waiting_jobs
SELECT j.queue_name, count(*), max(extract(epoch FROM clock_timestamp() - coalesce(j.scheduled_at, (
    SELECT max(e.at) FROM procrastinate_events e WHERE e.job_id = j.id AND e.type IN ('deferred', 'deferred_for_retry')
))))::float8
FROM procrastinate_jobs j
WHERE j.status = 'todo' AND (j.scheduled_at IS NULL OR j.scheduled_at <= clock_timestamp())
GROUP BY j.queue_name ORDER BY j.queue_name

-- name: stalled_jobs
SELECT count(*) FROM procrastinate_jobs j LEFT JOIN procrastinate_workers w ON w.id = j.worker_id
WHERE j.status = 'doing'
  AND (w.id IS NULL OR w.last_heartbeat < clock_timestamp() - make_interval(secs => %(seconds)s))

-- name: failed_jobs
SELECT count(*) FROM procrastinate_jobs WHERE status = 'failed'

-- name: workers
SELECT count(*) FILTER (WHERE last_heartbeat >= clock_timestamp() - make_interval(secs => %(seconds)s)),
       min(extract(epoch FROM clock_timestamp() - last_heartbeat))::float8
FROM procrastinate_workers

-- name: hosts
SELECT h.name, extract(epoch FROM clock_timestamp() - h.heartbeat_at)::float8, (
    SELECT count(*) FROM attempt_claim c JOIN pipeline_run r ON r.id = c.run_id AND r.attempt = c.attempt
    WHERE c.host = h.id AND r.state IN ('launching', 'running'))
FROM host h WHERE h.heartbeat_at > clock_timestamp() - interval '7 days' ORDER BY h.heartbeat_at DESC LIMIT 20

-- name: tokens
SELECT count(*), count(*) FILTER (WHERE expires_at < clock_timestamp() + interval '7 days')
FROM token WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > clock_timestamp())
