-- name: claim
WITH wanted AS (
    SELECT * FROM unnest(%(runs)s::uuid[], %(attempts)s::int[]) AS w (run_id, attempt)
), claimed AS (
    INSERT INTO attempt_claim (run_id, attempt, host, boot)
    SELECT run_id, attempt, %(host)s, %(boot)s FROM wanted
    WHERE NOT EXISTS (SELECT FROM pause_of_all) ORDER BY run_id, attempt
    ON CONFLICT (run_id, attempt) DO NOTHING
    RETURNING run_id, attempt, host, boot
)
SELECT run_id, attempt, host, boot, true FROM claimed
UNION ALL
SELECT c.run_id, c.attempt, c.host, c.boot, false FROM attempt_claim c JOIN wanted USING (run_id, attempt)

-- name: known_outcomes
SELECT digest FROM fact_digest WHERE digest = ANY(%(digests)b::bytea[])
