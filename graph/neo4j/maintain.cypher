// name: generations
MATCH (c:HeadwaterGeneration)
OPTIONAL MATCH (g:HeadwaterGraph {name: 'headwater'})
RETURN c.number AS number, c.sequence AS sequence, g.current = c.number AS current ORDER BY number

// name: begin_generation
CREATE (:HeadwaterGeneration {number: $number, revision: 0, sequence: 0, readyAt: $readyAt, form: $form, lock: 0})
CREATE (:HeadwaterWriter {generation: $number, next: 0, lock: 0})

// name: promote
MERGE (g:HeadwaterGraph {name: 'headwater'}) SET g.lock = 0
SET g.current = $number

// name: count_nodes
MATCH (n:HeadwaterVertex) WHERE n.vertex >= $low AND n.vertex < $high RETURN count(n) AS count

// name: count_edges
MATCH (n:HeadwaterVertex) WHERE n.vertex >= $low AND n.vertex < $high
MATCH (n)-[:HAS_STEP*0..1]->(v)
MATCH (v)-[e:CONSUMES|PRODUCES|FEEDS|DERIVES|COLUMNS|PARENT|ALIAS|RENAMED|CONSUMES_ENDED|PRODUCES_ENDED|FEEDS_ENDED|DERIVES_ENDED|COLUMNS_ENDED]->()
RETURN count(e) AS count

// name: hold
// Whoever reads all of it holds it too.
MATCH (w:HeadwaterWriter {generation: $number}) SET w.lock = 0

// name: remove_vertices
MATCH (n:HeadwaterVertex) WHERE n.vertex >= $low AND n.vertex < $high
WITH n LIMIT $limit
OPTIONAL MATCH (n)-[:HAS_STEP]->(s)
WITH n, collect(s) AS steps
FOREACH (s IN steps | DETACH DELETE s)
DETACH DELETE n
RETURN count(*) AS count

// name: remove_shapes
MATCH (s:HeadwaterShape) WHERE s.place >= $bottom AND s.place < $top
WITH s LIMIT $limit
DELETE s
RETURN count(*) AS count

// name: remove_generation
MATCH (c:HeadwaterGeneration {number: $number})
OPTIONAL MATCH (w:HeadwaterWriter {generation: $number})
DELETE c, w
