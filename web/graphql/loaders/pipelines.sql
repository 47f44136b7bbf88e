-- name: by_name
SELECT p.name, p.document_version, p.state, p.position, p.next_number, d.body
FROM pipeline p JOIN document d ON d.kind = 'Pipeline' AND d.name = p.name AND d.version = p.document_version
WHERE p.name = ANY(%(names)s::text[])

-- name: page
SELECT p.name, p.document_version, p.state, p.position, p.next_number, d.body
FROM pipeline p JOIN document d ON d.kind = 'Pipeline' AND d.name = p.name AND d.version = p.document_version
WHERE p.name > %(after)s AND p.state = ANY(%(states)s::text[])
  AND (%(search)s::text IS NULL OR strpos(lower(p.name), lower(%(search)s)) > 0)
ORDER BY p.name LIMIT %(limit)s

-- name: count
SELECT count(*) FROM pipeline p
WHERE p.state = ANY(%(states)s::text[])
  AND (%(search)s::text IS NULL OR strpos(lower(p.name), lower(%(search)s)) > 0)

-- name: queues
SELECT q.pipeline, q.input_id, q.queued, h.sequence, h.version_id, h.at
FROM (
    SELECT pipeline, input_id, count(*) AS queued, min(sequence) AS head
    FROM input_queue WHERE pipeline = ANY(%(names)s::text[]) GROUP BY pipeline, input_id
) AS q
JOIN input_queue h ON h.pipeline = q.pipeline AND h.input_id = q.input_id AND h.sequence = q.head

-- name: last_consumed
-- The decision that took the version says when its queue was emptied; a batch may have absorbed it long after it opened.
SELECT asked.pipeline, asked.input_id, taken.at
FROM unnest(%(names)s::text[], %(inputs)s::uuid[]) AS asked (pipeline, input_id)
CROSS JOIN LATERAL (
    SELECT coalesce(d.at, r.due_at) AS at
    FROM pipeline_run r
    JOIN LATERAL (
        SELECT max(c.sequence) AS sequence FROM consumption c WHERE c.run_id = r.id AND c.input_id = asked.input_id
    ) AS c ON c.sequence IS NOT NULL
    LEFT JOIN LATERAL (
        SELECT max(d.at) AS at FROM decision d
        WHERE d.run_id = r.id
          AND d.inputs @> jsonb_build_array(jsonb_build_object('sequence', c.sequence))
    ) AS d ON true
    WHERE r.pipeline = asked.pipeline ORDER BY r.number DESC LIMIT 1
) AS taken

-- name: registered
SELECT p.name, min(d.at)
FROM pipeline p JOIN document d ON d.kind = 'Pipeline' AND d.name = p.name AND d.position >= p.position
WHERE p.name = ANY(%(names)s::text[]) GROUP BY p.name
