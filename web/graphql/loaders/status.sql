-- name: parked
SELECT follower, position, run_id, error_code, error, attempts, parked_at
FROM parked ORDER BY follower, position LIMIT %(limit)s
