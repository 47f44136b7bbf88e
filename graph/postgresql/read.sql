-- name: snapshot
-- The settings last until the end of the transaction. Plans for arrays of any length are the same and made once; a plan
-- that was made while the tables were empty must not scan them when they are full.
SELECT set_config('plan_cache_mode', 'force_generic_plan', true), set_config('enable_seqscan', 'off', true),
       set_config('jit', 'off', true),
       (SELECT number FROM graph_generation WHERE state = 'current') AS generation,
       g.position AS cursor,
       coalesce(
           (SELECT o.position - 1 FROM observation o WHERE o.sequence > g.position ORDER BY o.sequence LIMIT 1),
           s.position
       ) AS position,
       EXISTS (SELECT FROM parked p WHERE p.follower IN ('graph', 'state')) AS parked
FROM follower g, follower s
WHERE g.name = 'graph' AND s.name = 'state'

-- name: scan
SELECT set_config('plan_cache_mode', 'auto', true), set_config('enable_seqscan', 'on', true)

-- name: find
SELECT id, namespace, name, coalesce(field, '') FROM graph_node WHERE generation = %(generation)s AND key = ANY(%(keys)b::uuid[])

-- name: steps
-- The hidden steps of a job between datasets: only its own shapes have edges that end there.
SELECT DISTINCT vertex FROM (
    SELECT origin AS vertex FROM graph_edge WHERE owner = %(id)s AND valid_to IS NULL
    UNION ALL
    SELECT destination FROM graph_edge WHERE owner = %(id)s AND valid_to IS NULL
) AS ends WHERE vertex <> %(id)s AND vertex & %(mask)s = %(id)s AND vertex < %(columns)s

-- name: field_aliases
-- A field is what the field of the same name is under every other name of its dataset.
WITH RECURSIVE class (field, dataset) AS (
    SELECT id, dataset FROM graph_node WHERE id = ANY(%(vertices)b::bigint[]) AND dataset IS NOT NULL
    UNION
    SELECT c.field, a.destination FROM class c
    JOIN graph_edge a ON a.origin = c.dataset AND a.kind = 5 AND a.valid_to IS NULL
)
SELECT array_agg(n.id), array_agg(m.id)
FROM class c
JOIN graph_node n ON n.id = c.field
JOIN graph_node m ON m.dataset = c.dataset AND left(m.field, 256) = left(n.field, 256) AND m.field = n.field
WHERE m.id <> n.id

-- name: derivations
SELECT array_agg(origin), array_agg(destination), array_agg(owner)
FROM graph_edge WHERE origin = ANY(%(vertices)b::bigint[]) AND valid_to IS NULL AND kind = 6

-- name: told_columns
SELECT array_agg(origin), array_agg(destination)
FROM graph_edge WHERE origin = ANY(%(vertices)b::bigint[]) AND valid_to IS NULL AND kind = 7

-- name: datasets_of
SELECT array_agg(id), array_agg(dataset) FROM graph_node WHERE id = ANY(%(vertices)b::bigint[]) AND dataset IS NOT NULL

-- name: fields_of
SELECT array_agg(dataset), array_agg(id)
FROM graph_node WHERE dataset = ANY(%(vertices)b::bigint[]) AND dataset IS NOT NULL

-- name: downstream
SELECT array_agg(destination) FILTER (WHERE kind <> 5), array_agg(destination) FILTER (WHERE kind = 5)
FROM graph_edge WHERE origin = ANY(%(vertices)b::bigint[]) AND valid_to IS NULL AND kind <> 4 AND kind <> 7

-- name: first_edges
-- Of all edges to a vertex one that crosses no alias, and one that does: a way there needs no more.
SELECT array_agg(origin), array_agg(destination), array_agg(alias) FROM (
    SELECT min(origin) AS origin, destination, kind = 5 AS alias
    FROM graph_edge WHERE origin = ANY(%(vertices)b::bigint[]) AND valid_to IS NULL AND kind <> 4 AND kind <> 7
    GROUP BY destination, kind = 5
) AS first

-- name: upstream
SELECT array_agg(origin) FILTER (WHERE kind <> 5), array_agg(origin) FILTER (WHERE kind = 5)
FROM graph_edge WHERE destination = ANY(%(vertices)b::bigint[]) AND valid_to IS NULL AND kind <> 4 AND kind <> 7

-- name: edges_downstream
SELECT array_agg(origin), array_agg(destination), array_agg(kind)
FROM graph_edge WHERE origin = ANY(%(vertices)b::bigint[]) AND valid_to IS NULL AND kind <> 4 AND kind <> 7

-- name: edges_upstream
SELECT array_agg(origin), array_agg(destination), array_agg(kind)
FROM graph_edge WHERE destination = ANY(%(vertices)b::bigint[]) AND valid_to IS NULL AND kind <> 4 AND kind <> 7

-- name: names
-- In one row: an array is read several times quicker than as many rows.
SELECT array_agg(id), array_agg(kind || ':' || namespace || ':' || name || coalesce(':' || field, ''))
FROM graph_node WHERE id = ANY(%(ids)b::bigint[])

-- name: nodes
SELECT array_agg(id), array_agg(kind), array_agg(namespace), array_agg(name), array_agg(coalesce(field, ''))
FROM graph_node WHERE id = ANY(%(ids)b::bigint[])

-- name: all_nodes
SELECT kind, namespace, name, coalesce(field, '') FROM graph_node WHERE generation = %(generation)s

-- name: all_edges
-- An alias stands in both directions; the one from its owner is told.
SELECT e.kind, e.origin >> %(shift)s, e.destination >> %(shift)s, e.valid_from, e.valid_to, e.type,
       w.kind, w.namespace, w.name, '',
       o.kind, o.namespace, o.name, coalesce(o.field, ''),
       d.kind, d.namespace, d.name, coalesce(d.field, '')
FROM graph_edge e
JOIN graph_node w ON w.id = e.owner
JOIN graph_node o ON o.id = e.origin & %(mask)s
JOIN graph_node d ON d.id = e.destination & %(mask)s
WHERE w.generation = %(generation)s AND NOT (e.kind = 5 AND e.origin <> e.owner)
