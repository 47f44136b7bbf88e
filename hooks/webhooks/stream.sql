-- name: until
SELECT position FROM follower WHERE name = 'state'

-- name: late
-- Facts that the state follower applied later than their turn, and where a replay of the ledger applies them.
SELECT position, after + 1 FROM applied_late
WHERE follower = 'state' AND (position > %(after)s OR after >= %(after)s) ORDER BY number

-- name: rule_places
(SELECT DISTINCT d.position FROM document d
 WHERE d.kind = 'Webhook' AND d.position > %(after)s AND d.position <= %(until)s
 ORDER BY d.position LIMIT %(limit)s)
UNION
(SELECT c.position FROM command_result c
 WHERE c.position > %(after)s AND c.position <= %(until)s AND c.accepted AND c.result ? 'webhook'
 ORDER BY c.position LIMIT %(limit)s)
ORDER BY position LIMIT %(limit)s

-- name: event_places
(SELECT DISTINCT v.position FROM version_event v
 WHERE v.position > %(after)s AND v.position <= %(until)s ORDER BY v.position LIMIT %(limit)s)
UNION
(SELECT DISTINCT t.position FROM pipeline_run_transition t
 WHERE t.position > %(after)s AND t.position <= %(until)s ORDER BY t.position LIMIT %(limit)s)
ORDER BY position LIMIT %(limit)s

-- name: declared
SELECT d.position, d.at, d.actor, d.name, d.version, d.body, d.deleted FROM document d
WHERE d.kind = 'Webhook'
  AND ((d.position > %(after)s AND d.position <= %(until)s AND d.position <> ALL(%(moved_away)s::bigint[]))
       OR d.position = ANY(%(moved_here)s::bigint[]))
ORDER BY d.position, d.name, d.version

-- name: commanded
SELECT c.position, f.received_at, f.actor, c.result ->> 'webhook', f.kind, c.result FROM command_result c
JOIN fact f ON f.position = c.position
WHERE c.accepted AND c.result ? 'webhook'
  AND ((c.position > %(after)s AND c.position <= %(until)s AND c.position <> ALL(%(moved_away)s::bigint[]))
       OR c.position = ANY(%(moved_here)s::bigint[]))
ORDER BY c.position

-- name: version_events
SELECT e.position, e.at, e.kind, e.version_id, d.namespace, d.name, (
           SELECT json_agg(json_build_array(a.namespace, a.name) ORDER BY a.namespace, a.name) FROM dataset a
           WHERE a.id = ANY(e.dataset_ids) AND a.id <> v.dataset_id),
       v.time, v.partition, v.row_count, v.byte_count, v.run_id, j.namespace, j.name
FROM version_event e
JOIN dataset_version v ON v.id = e.version_id
JOIN dataset d ON d.id = v.dataset_id
LEFT JOIN run r ON r.id = v.run_id
LEFT JOIN job j ON j.id = r.job_id
WHERE (e.position > %(after)s AND e.position <= %(until)s AND e.position <> ALL(%(moved_away)s::bigint[]))
   OR e.position = ANY(%(moved_here)s::bigint[])
ORDER BY e.position, e.sequence

-- name: run_moves
SELECT t.position, t.at, t.run_id, t.from_state, t.to_state, t.attempt, t.actor, t.reason, r.pipeline, r.number, r.cause,
       r.due_at, r.document_version
FROM pipeline_run_transition t
JOIN pipeline_run r ON r.id = t.run_id
WHERE (t.position > %(after)s AND t.position <= %(until)s AND t.position <> ALL(%(moved_away)s::bigint[]))
   OR t.position = ANY(%(moved_here)s::bigint[])
ORDER BY t.position, t.sequence
