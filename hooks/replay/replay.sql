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

-- name: newest_checkpoint
SELECT until, digest, manifest FROM checkpoint ORDER BY until DESC LIMIT 1

-- name: begin_checkpoint
INSERT INTO checkpoint (until, digest, manifest) VALUES (%(until)s, '', '')

-- name: write_part
INSERT INTO checkpoint_part (until, name, content) VALUES (%(until)s, %(name)s, %(content)s)

-- name: end_checkpoint
UPDATE checkpoint SET digest = %(digest)s, manifest = %(manifest)s WHERE until = %(until)s

-- name: part
SELECT content FROM checkpoint_part WHERE until = %(until)s AND name = %(name)s

-- name: numbered
-- Columns of the copy whose numbers are drawn.
SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relnamespace = pg_my_temp_schema() AND c.relkind = 'r' AND a.attidentity <> '' AND NOT a.attisdropped
  AND c.relname <> 'procrastinate_jobs'
ORDER BY 1
