-- name: standing
-- The ledger position up to which a graph with this cursor knows everything: what is parked waits for nobody.
SELECT coalesce(
           (SELECT o.position - 1 FROM observation o WHERE o.sequence > %(cursor)s
              AND NOT EXISTS (SELECT FROM parked p WHERE p.follower = 'graph' AND p.position = o.sequence)
            ORDER BY o.sequence LIMIT 1),
           s.position
       ),
       EXISTS (SELECT FROM parked p WHERE p.follower IN ('graph', 'state'))
FROM follower s WHERE s.name = 'state'

-- name: followed
SELECT coalesce(
    (SELECT o.position - 1 FROM observation o WHERE o.sequence > g.position ORDER BY o.sequence LIMIT 1), s.position)
FROM follower g, follower s WHERE g.name = 'graph' AND s.name = 'state'

-- name: parked
SELECT o.kind, o.body FROM parked p LEFT JOIN observation o ON o.sequence = p.position WHERE p.follower = 'graph'

-- name: parked_facts
SELECT position FROM parked WHERE follower = 'state' ORDER BY position LIMIT %(limit)s
