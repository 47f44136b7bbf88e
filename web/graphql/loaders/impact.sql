-- name: active_pipelines
SELECT p.name, p.document_version, p.state, p.position, p.next_number, d.body
FROM pipeline p JOIN document d ON d.kind = 'Pipeline' AND d.name = p.name AND d.version = p.document_version
WHERE p.state = 'active' ORDER BY p.name

-- name: names_of
-- Every name of the datasets, by the identity that stands for all names of one.
SELECT m.class_id, d.namespace, d.name
FROM (SELECT DISTINCT class_id FROM dataset_class WHERE dataset_id = ANY(%(ids)s::uuid[])) AS asked
JOIN dataset_class m ON m.class_id = asked.class_id
JOIN dataset d ON d.id = m.dataset_id
