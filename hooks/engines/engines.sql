-- name: claim
WITH wanted AS (
    SELECT * FROM unnest(%(runs)s::uuid[], %(attempts)s::int[]) AS w (run_id, attempt)
)
INSERT INTO attempt_claim (run_id, attempt, host)
SELECT run_id, attempt, %(host)s FROM wanted WHERE NOT EXISTS (SELECT FROM pause_of_all) ORDER BY run_id, attempt
ON CONFLICT (run_id, attempt) DO NOTHING
RETURNING run_id, attempt

-- name: add
INSERT INTO engine_attempt (run_id, attempt, launcher, phase, deadline)
SELECT * FROM unnest(%(runs)s::uuid[], %(attempts)s::int[], %(launchers)s::text[], %(phases)s::text[],
                     %(deadlines)s::timestamptz[])

-- name: untouched
-- Claimed, also by an earlier try of this job, and not taken by any step yet.
SELECT e.run_id, e.attempt
FROM unnest(%(runs)s::uuid[], %(attempts)s::int[]) AS w (run_id, attempt) JOIN engine_attempt e USING (run_id, attempt)
WHERE e.epoch = 0 ORDER BY e.run_id, e.attempt

-- name: read
SELECT launcher, epoch, busy_until IS NOT NULL, busy_until > clock_timestamp(), busy_until,
       phase, deadline, stop_outcome, stop_reason, handle, origin, accepted_at, doubtful, failing_since, gone_since,
       failures, trouble, told
FROM engine_attempt WHERE run_id = %(run)s AND attempt = %(attempt)s FOR UPDATE

-- name: mark_stop
UPDATE engine_attempt SET stop_outcome = %(outcome)s, stop_reason = %(reason)s
WHERE run_id = %(run)s AND attempt = %(attempt)s

-- name: write
UPDATE engine_attempt SET epoch = %(epoch)s,
    busy_until = clock_timestamp() + make_interval(secs => %(busy_seconds)s::float8),
    phase = %(phase)s, deadline = %(deadline)s, stop_outcome = %(stop_outcome)s, stop_reason = %(stop_reason)s,
    handle = %(handle)s, origin = %(origin)s, accepted_at = %(accepted_at)s, doubtful = %(doubtful)s,
    failing_since = %(failing_since)s, gone_since = %(gone_since)s, failures = %(failures)s, trouble = %(trouble)s,
    told = %(told)s
WHERE run_id = %(run)s AND attempt = %(attempt)s
RETURNING busy_until
