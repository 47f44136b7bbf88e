-- name: cursor
SELECT position FROM follower WHERE name = 'state'

-- name: left_out
SELECT position FROM parked WHERE follower = 'state'
UNION SELECT position FROM skipped WHERE follower = 'state'

-- name: late
SELECT position, after FROM applied_late WHERE follower = 'state' ORDER BY after, number

-- name: causal_depths
-- Where the bound that a decision saw is another than that of the decision before.
SELECT position, found FROM (
    SELECT position, found, lag(found) OVER (ORDER BY position) AS before FROM (
        SELECT d.position, max((rule->>'limit')::int) AS found
        FROM decision d CROSS JOIN LATERAL jsonb_array_elements(d.rules) AS rule
        WHERE rule->>'rule' = 'causal-depth' GROUP BY d.position
    ) AS saw
) AS told
WHERE found IS DISTINCT FROM before ORDER BY position
