// name: hold_writer
// Setting what it is takes the lock and changes nothing; read before it, a value could be another writer's.
MATCH (w:HeadwaterWriter {generation: $generation}) SET w.lock = 0
WITH w MATCH (c:HeadwaterGeneration {number: $generation})
RETURN w.next AS next, c.sequence AS sequence, c.revision AS revision

// name: release_writer
MATCH (w:HeadwaterWriter {generation: $generation}) SET w.next = $next

// name: move_cursor
// Last of all, because readers look at it: whoever holds it is about to commit.
MATCH (c:HeadwaterGeneration {number: $generation}) SET c.lock = 0
WITH c WHERE c.revision = $revision
SET c.revision = $revision + 1, c.sequence = $to, c.mark = coalesce($mark, c.mark), c.form = $form
RETURN c.revision AS revision

// name: find_nodes
MATCH (n:HeadwaterNode) WHERE n.key IN $keys RETURN n.key AS key, n.vertex AS vertex

// name: add_nodes
UNWIND $nodes AS node
MERGE (n:HeadwaterNode {key: node.key})
ON CREATE SET n:HeadwaterVertex, n:$(node.label), n += node.properties

// name: add_fields
UNWIND $fields AS field
MATCH (d:HeadwaterVertex {vertex: field.dataset})
MATCH (f:HeadwaterVertex {vertex: field.vertex})
MERGE (d)-[:HAS_FIELD]->(f)

// name: links
// Of these nodes the aliases, parents and former names that they own.
UNWIND $owners AS owner
MATCH (o:HeadwaterVertex {vertex: owner})-[e:ALIAS|PARENT|RENAMED]-(other)
WHERE e.owner = owner
RETURN elementId(e) AS handle, type(e) AS type, owner, other.vertex AS other, e.sequence AS sequence

// name: points
// The points of a job within its window, the last before it and the first after it that state a shape.
UNWIND $windows AS w
CALL (w) {
  MATCH (s:HeadwaterShape) WHERE s.place > w.bottom AND s.place < w.first AND s.shape IS NOT NULL
  RETURN s ORDER BY s.place DESC LIMIT 1
  UNION ALL
  MATCH (s:HeadwaterShape) WHERE s.place >= w.first AND s.place <= w.last
  RETURN s
  UNION ALL
  MATCH (s:HeadwaterShape) WHERE s.place > w.last AND s.place < w.top AND s.shape IS NOT NULL
  RETURN s ORDER BY s.place LIMIT 1
}
RETURN s.place AS place, s.sequence AS sequence, s.shape AS shape

// name: save_points
UNWIND $points AS point
MERGE (s:HeadwaterShape {place: point.place})
SET s.sequence = point.sequence, s.shape = point.shape

// name: job_edges
// What the shapes of these jobs stated, as far as it lies in or touches the window. An edge between two vertices of a
// job is met from both of them.
UNWIND $windows AS w
CALL (w) {
  MATCH ()-[e:DERIVES]->() WHERE e.owner = w.job RETURN e
  UNION
  MATCH ()-[e:DERIVES_ENDED]->() WHERE e.owner = w.job RETURN e
  UNION
  MATCH (:HeadwaterVertex {vertex: w.job})-[:HAS_STEP*0..1]->(v)
  MATCH (v)-[e:CONSUMES|PRODUCES|FEEDS|COLUMNS|CONSUMES_ENDED|PRODUCES_ENDED|FEEDS_ENDED|COLUMNS_ENDED]-()
  WHERE e.owner = w.job
  RETURN e
}
WITH w, e
WHERE (e.validTo IS NULL OR e.validTo >= w.start) AND (w.end IS NULL OR e.validFrom <= w.end)
RETURN elementId(e) AS handle, w.job AS owner, type(e) AS type, startNode(e).vertex AS origin,
       endNode(e).vertex AS destination, e.validFrom AS validFrom, e.validTo AS validTo, e.type AS text

// name: remove_edges
UNWIND $handles AS handle
MATCH ()-[e]->() WHERE elementId(e) = handle
DELETE e

// name: add_steps
UNWIND $steps AS step
MATCH (j:HeadwaterVertex {vertex: step.job})
MERGE (v:HeadwaterVertex {vertex: step.vertex})
ON CREATE SET v:Step, v.step = step.step
MERGE (j)-[:HAS_STEP]->(v)

// name: add_edges
UNWIND $edges AS edge
MATCH (o:HeadwaterVertex {vertex: edge.origin})
MATCH (d:HeadwaterVertex {vertex: edge.destination})
CREATE (o)-[e:$(edge.relationship)]->(d)
SET e = edge.properties
