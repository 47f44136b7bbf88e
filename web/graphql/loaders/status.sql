-- name: followers
SELECT f.name, f.position, f.at, f.processed, f.holder, f.updated_at FROM follower f ORDER BY f.name

-- name: ledger
SELECT coalesce((SELECT position FROM fact ORDER BY position DESC LIMIT 1), 0)

-- name: lag
SELECT count(*), min(received_at) FROM fact WHERE position > (SELECT position FROM follower WHERE name = 'state')

-- name: parked
SELECT follower, position, run_id, error_code, error, attempts, parked_at
FROM parked ORDER BY follower, position LIMIT %(limit)s

-- name: parked_count
SELECT count(*) FROM parked

-- name: launch_hosts
SELECT name FROM host WHERE launches_at > clock_timestamp() - make_interval(secs => %(seconds)s) ORDER BY name, id

-- name: datasets
SELECT count(*) FROM dataset

-- name: jobs
SELECT count(*) FROM job

-- name: runs
SELECT count(*) FROM run

-- name: versions
SELECT count(*) FROM dataset_version

-- name: pipelines
SELECT count(*) FROM pipeline WHERE state <> 'deleted'

-- name: queued_versions
SELECT count(*) FROM input_queue

-- name: pipeline_runs
SELECT state, count(*) FROM pipeline_run GROUP BY state ORDER BY state
