// name: standing
// Setting what it is takes the lock and changes nothing: whoever was about to commit has done so when this answers, so
// that what is read is whole.
MATCH (g:HeadwaterGraph {name: 'headwater'}) SET g.lock = 0
WITH g MATCH (c:HeadwaterGeneration {number: g.current}) SET c.lock = 0
RETURN c.number AS number, c.revision AS revision, c.sequence AS sequence, c.readyAt AS readyAt, c.mark AS mark, c.form AS form

// name: find
MATCH (n:HeadwaterNode) WHERE n.key IN $keys
RETURN n.key AS key, n.vertex AS vertex

// name: steps
// The hidden steps of a job between datasets: only its own shapes have edges that end there.
MATCH (:HeadwaterVertex {vertex: $vertex})-[:HAS_STEP]->(s)
WHERE s.step < $columns AND EXISTS { (s)-[:CONSUMES|PRODUCES|FEEDS]-() }
RETURN collect(s.vertex) AS vertices

// name: downstream
MATCH (v:HeadwaterVertex) WHERE v.vertex IN $vertices
CALL (v) {
  MATCH (v)-[:CONSUMES|PRODUCES|FEEDS|RENAMED|DERIVES]->(w) RETURN w.vertex AS edge, null AS alias
  UNION ALL
  MATCH (v)-[:ALIAS]-(w) RETURN null AS edge, w.vertex AS alias
}
RETURN collect(DISTINCT edge) AS byEdge, collect(DISTINCT alias) AS byAlias

// name: upstream
MATCH (v:HeadwaterVertex) WHERE v.vertex IN $vertices
CALL (v) {
  MATCH (v)<-[:CONSUMES|PRODUCES|FEEDS|RENAMED|DERIVES]-(w) RETURN w.vertex AS edge, null AS alias
  UNION ALL
  MATCH (v)-[:ALIAS]-(w) RETURN null AS edge, w.vertex AS alias
}
RETURN collect(DISTINCT edge) AS byEdge, collect(DISTINCT alias) AS byAlias

// name: edges_downstream
MATCH (v:HeadwaterVertex) WHERE v.vertex IN $vertices
MATCH (v)-[e:CONSUMES|PRODUCES|FEEDS|RENAMED|DERIVES]->(w)
RETURN type(e) AS type, collect(v.vertex) AS here, collect(w.vertex) AS there
UNION ALL
MATCH (v:HeadwaterVertex) WHERE v.vertex IN $vertices
MATCH (v)-[e:ALIAS]-(w)
RETURN type(e) AS type, collect(v.vertex) AS here, collect(w.vertex) AS there

// name: edges_upstream
MATCH (v:HeadwaterVertex) WHERE v.vertex IN $vertices
MATCH (v)<-[e:CONSUMES|PRODUCES|FEEDS|RENAMED|DERIVES]-(w)
RETURN type(e) AS type, collect(v.vertex) AS here, collect(w.vertex) AS there
UNION ALL
MATCH (v:HeadwaterVertex) WHERE v.vertex IN $vertices
MATCH (v)-[e:ALIAS]-(w)
RETURN type(e) AS type, collect(v.vertex) AS here, collect(w.vertex) AS there

// name: first_edges
// Of all edges to a vertex one that crosses no alias, and one that does: a way there needs no more.
MATCH (v:HeadwaterVertex) WHERE v.vertex IN $vertices
CALL (v) {
  MATCH (v)-[:CONSUMES|PRODUCES|FEEDS|RENAMED|DERIVES]->(w) RETURN w.vertex AS there, false AS alias
  UNION ALL
  MATCH (v)-[:ALIAS]-(w) RETURN w.vertex AS there, true AS alias
}
WITH there, alias, min(v.vertex) AS here
RETURN collect(here) AS here, collect(there) AS there, collect(alias) AS aliases

// name: derivations
MATCH (v:HeadwaterVertex) WHERE v.vertex IN $vertices
MATCH (v)-[e:DERIVES]->(w)
RETURN collect(v.vertex) AS here, collect(w.vertex) AS there, collect(e.owner) AS owners

// name: told_columns
MATCH (v:HeadwaterVertex) WHERE v.vertex IN $vertices
MATCH (v)-[:COLUMNS]->(w)
RETURN collect(v.vertex) AS here, collect(w.vertex) AS there

// name: datasets_of
MATCH (v:HeadwaterVertex) WHERE v.vertex IN $vertices
MATCH (v)<-[:HAS_FIELD]-(d)
RETURN collect(v.vertex) AS here, collect(d.vertex) AS there

// name: fields_of
MATCH (v:HeadwaterVertex) WHERE v.vertex IN $vertices
MATCH (v)-[:HAS_FIELD]->(f)
RETURN collect(v.vertex) AS here, collect(f.vertex) AS there

// name: aliases
MATCH (v:HeadwaterVertex) WHERE v.vertex IN $vertices
MATCH (v)-[:ALIAS]-(w)
RETURN collect(v.vertex) AS here, collect(w.vertex) AS there

// name: names
MATCH (v:HeadwaterVertex) WHERE v.vertex IN $vertices
RETURN collect(v.vertex) AS vertices, collect(v.nodeId) AS names

// name: nodes
MATCH (v:HeadwaterVertex) WHERE v.vertex IN $vertices
RETURN collect(v.vertex) AS vertices, collect(v.kind) AS kinds, collect(v.namespace) AS namespaces,
       collect(v.name) AS names, collect(v.field) AS fields

// name: all_nodes
MATCH (n:HeadwaterVertex) WHERE n.vertex >= $low AND n.vertex < $high
RETURN n.vertex AS vertex, n.kind AS kind, n.namespace AS namespace, n.name AS name, n.field AS field

// name: all_edges
MATCH (n:HeadwaterVertex) WHERE n.vertex >= $low AND n.vertex < $high
MATCH (n)-[:HAS_STEP*0..1]->(v)
MATCH (v)-[e:CONSUMES|PRODUCES|FEEDS|DERIVES|COLUMNS|PARENT|ALIAS|RENAMED|CONSUMES_ENDED|PRODUCES_ENDED|FEEDS_ENDED|DERIVES_ENDED|COLUMNS_ENDED]->(w)
RETURN type(e) AS type, e.owner AS owner, v.vertex AS origin, w.vertex AS destination,
       e.validFrom AS validFrom, e.validTo AS validTo, e.type AS text
