-- name: of_runs
SELECT id, pipeline, run_id, verdict, reason, rules, inputs, position, at
FROM decision WHERE run_id = ANY(%(runs)s::uuid[]) ORDER BY run_id, position, at, id

-- name: of_pipelines
SELECT d.id, d.pipeline, d.run_id, d.verdict, d.reason, d.rules, d.inputs, d.position, d.at
FROM unnest(%(pipelines)s::text[]) AS asked (name)
CROSS JOIN LATERAL (
    SELECT * FROM decision
    WHERE pipeline = asked.name AND position <= %(after_position)s
      AND (position < %(after_position)s OR id < %(after_id)s::uuid)
    ORDER BY position DESC, id DESC LIMIT %(limit)s
) AS d
ORDER BY d.pipeline, d.position DESC, d.id DESC

-- name: counts_of_pipelines
SELECT pipeline, count(*) FROM decision WHERE pipeline = ANY(%(pipelines)s::text[]) GROUP BY pipeline
