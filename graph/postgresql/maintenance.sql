-- name: announce
SELECT pg_notify('headwater_graph', '')

-- name: read_applied
-- All that the graph is made of: up to its cursor, without what could not be applied.
SELECT o.sequence, o.position, o.kind, o.body FROM observation o
WHERE o.sequence <= %(cursor)s
  AND NOT EXISTS (SELECT FROM parked p WHERE p.follower = 'graph' AND p.position = o.sequence)
  AND NOT EXISTS (SELECT FROM skipped s WHERE s.follower = 'graph' AND s.position = o.sequence)
ORDER BY o.sequence

-- name: left_out
-- What somebody decided to leave out of the graph, among so many observations.
SELECT position FROM skipped WHERE follower = 'graph' AND position BETWEEN %(first)s AND %(last)s

-- name: status
SELECT g.number, f.position,
       (SELECT coalesce(max(sequence), 0) FROM observation),
       (SELECT count(*) FROM observation o WHERE o.sequence > f.position),
       (SELECT count(*) FROM parked WHERE follower = 'graph'),
       (SELECT count(*) FROM graph_node n WHERE n.generation = g.number),
       (SELECT count(*) FROM graph_edge e JOIN graph_node n ON n.id = e.owner
        WHERE n.generation = g.number AND NOT (e.kind = 5 AND e.origin <> e.owner)),
       (SELECT b.position FROM follower b WHERE b.name = 'graph rebuild')
FROM graph_generation g, follower f
WHERE g.state = 'current' AND f.name = 'graph'

-- name: try_lock
SELECT pg_try_advisory_lock(%(key)s)

-- name: unlock
SELECT pg_advisory_unlock(%(key)s)

-- name: log_end
SELECT coalesce(max(sequence), 0) FROM observation

-- name: begin_generation
INSERT INTO graph_generation (number, state) SELECT max(number) + 1, 'building' FROM graph_generation RETURNING number

-- name: begin_following
INSERT INTO follower (name) VALUES ('graph rebuild')

-- name: hold_graph
SELECT position FROM follower WHERE name = 'graph' FOR UPDATE

-- name: retire
UPDATE graph_generation SET state = 'retired' WHERE state = 'current'

-- name: promote
UPDATE graph_generation SET state = 'current' WHERE number = %(generation)s

-- name: hand_over
-- The new generation has come at least as far as the old one.
UPDATE follower g SET position = r.position, form = r.form, left_position = NULL, left_reason = NULL, left_at = NULL,
    updated_at = clock_timestamp()
FROM follower r WHERE g.name = 'graph' AND r.name = 'graph rebuild'

-- name: unpark
DELETE FROM parked WHERE follower = 'graph'

-- name: hand_over_parked
UPDATE parked SET follower = 'graph' WHERE follower = 'graph rebuild'

-- name: end_following
DELETE FROM follower WHERE name = 'graph rebuild'

-- name: drop_parked
DELETE FROM parked WHERE follower = 'graph rebuild'

-- name: leftovers
SELECT number FROM graph_generation WHERE state <> 'current' ORDER BY number

-- name: leftover_nodes
SELECT array_agg(id) FROM (
    SELECT id FROM graph_node WHERE generation = %(generation)s ORDER BY key LIMIT %(limit)s
) AS batch

-- name: remove_node_edges
DELETE FROM graph_edge WHERE owner = ANY(%(ids)b::bigint[])

-- name: remove_node_shapes
DELETE FROM graph_shape WHERE job = ANY(%(ids)b::bigint[])

-- name: remove_nodes
DELETE FROM graph_node WHERE id = ANY(%(ids)b::bigint[])

-- name: remove_generation
DELETE FROM graph_generation WHERE number = %(generation)s

-- name: tidy
VACUUM (ANALYZE) graph_node, graph_edge, graph_shape
