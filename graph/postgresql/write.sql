-- name: current_generation
SELECT number FROM graph_generation WHERE state = 'current'

-- name: find_nodes
SELECT key, id FROM graph_node WHERE generation = %(generation)s AND key = ANY(%(keys)b::uuid[])

-- name: add_nodes
INSERT INTO graph_node (generation, key, kind, namespace, name, dataset, field)
SELECT %(generation)s, key, kind, namespace, name, dataset, field
FROM unnest(
    %(keys)b::uuid[], %(kinds)b::text[], %(namespaces)b::text[], %(names)b::text[], %(datasets)b::bigint[],
    %(fields)b::text[]
) AS n (key, kind, namespace, name, dataset, field)
RETURNING key, id

-- name: links
-- The rows of the aliases, parents and former names that these nodes own.
SELECT ctid::text, kind, owner, CASE WHEN origin = owner THEN destination ELSE origin END, sequence
FROM graph_edge WHERE owner = ANY(%(owners)b::bigint[]) AND kind IN (4, 5, 8) AND valid_to IS NULL

-- name: points
-- The points of a job within its window, the last before it and the first after it that state a shape.
SELECT w.job, p.at, p.tiebreak, p.sequence, p.shape
FROM unnest(
    %(jobs)b::bigint[], %(first_ats)b::timestamptz[], %(first_tiebreaks)b::uuid[],
    %(last_ats)b::timestamptz[], %(last_tiebreaks)b::uuid[]
) AS w (job, first_at, first_tiebreak, last_at, last_tiebreak)
CROSS JOIN LATERAL (
    (SELECT s.at, s.tiebreak, s.sequence, s.shape FROM graph_shape s
     WHERE s.job = w.job AND (s.at, s.tiebreak) < (w.first_at, w.first_tiebreak) AND s.shape IS NOT NULL
     ORDER BY s.at DESC, s.tiebreak DESC LIMIT 1)
    UNION ALL
    (SELECT s.at, s.tiebreak, s.sequence, s.shape FROM graph_shape s
     WHERE s.job = w.job AND (s.at, s.tiebreak) >= (w.first_at, w.first_tiebreak)
       AND (s.at, s.tiebreak) <= (w.last_at, w.last_tiebreak))
    UNION ALL
    (SELECT s.at, s.tiebreak, s.sequence, s.shape FROM graph_shape s
     WHERE s.job = w.job AND (s.at, s.tiebreak) > (w.last_at, w.last_tiebreak) AND s.shape IS NOT NULL
     ORDER BY s.at, s.tiebreak LIMIT 1)
) AS p

-- name: save_points
INSERT INTO graph_shape (job, at, tiebreak, sequence, shape)
SELECT job, at, tiebreak, sequence, shape
FROM unnest(
    %(jobs)b::bigint[], %(ats)b::timestamptz[], %(tiebreaks)b::uuid[], %(sequences)b::bigint[], %(shapes)b::bytea[]
) AS p (job, at, tiebreak, sequence, shape)
ON CONFLICT (job, at, tiebreak) DO UPDATE SET sequence = excluded.sequence, shape = excluded.shape

-- name: job_edges
-- What the shapes of these jobs stated, as far as it lies in or touches the window.
SELECT e.ctid::text, e.owner, e.valid_from, e.valid_to, e.kind, e.origin, e.destination, e.type
FROM unnest(%(jobs)b::bigint[], %(starts)b::timestamptz[], %(ends)b::timestamptz[]) AS w (job, starts, ends)
JOIN graph_edge e ON e.owner = w.job
WHERE e.kind IN (1, 2, 3, 6, 7) AND (e.valid_to IS NULL OR e.valid_to >= w.starts)
  AND (w.ends IS NULL OR e.valid_from <= w.ends)

-- name: remove_edges
DELETE FROM graph_edge WHERE ctid = ANY(%(ctids)s::tid[])

-- name: add_edges
INSERT INTO graph_edge (owner, kind, origin, destination, valid_from, valid_to, type, sequence)
SELECT owner, kind, origin, destination, valid_from, valid_to, type, sequence
FROM unnest(
    %(owners)b::bigint[], %(kinds)b::smallint[], %(origins)b::bigint[], %(destinations)b::bigint[],
    %(starts)b::timestamptz[], %(ends)b::timestamptz[], %(types)b::text[], %(sequences)b::bigint[]
) AS e (owner, kind, origin, destination, valid_from, valid_to, type, sequence)
