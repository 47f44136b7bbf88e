-- name: by_id
SELECT id, namespace, name, first_seen_at, position FROM dataset WHERE id = ANY(%(ids)s::uuid[])

-- name: page
SELECT id, namespace, name, first_seen_at, position FROM dataset
WHERE (left(namespace, 256), left(name, 256), id)
    > (left(%(after_namespace)s::text, 256), left(%(after_name)s::text, 256), %(after_id)s::uuid)
  AND (%(namespace)s::text IS NULL OR namespace = %(namespace)s)
  AND (%(search)s::text IS NULL OR strpos(lower(name), lower(%(search)s)) > 0)
ORDER BY left(namespace, 256), left(name, 256), id
LIMIT %(limit)s

-- name: count
SELECT count(*) FROM dataset
WHERE (%(namespace)s::text IS NULL OR namespace = %(namespace)s)
  AND (%(search)s::text IS NULL OR strpos(lower(name), lower(%(search)s)) > 0)

-- name: listed
SELECT id, namespace, name, first_seen_at, position FROM dataset
ORDER BY left(namespace, 256), left(name, 256), id
LIMIT %(limit)s OFFSET %(offset)s

-- name: listed_in
SELECT id, namespace, name, first_seen_at, position FROM dataset
WHERE left(namespace, 256) = left(%(namespace)s::text, 256) AND namespace = %(namespace)s
ORDER BY left(namespace, 256), left(name, 256), id
LIMIT %(limit)s OFFSET %(offset)s

-- name: count_in
SELECT count(*) FROM dataset WHERE left(namespace, 256) = left(%(namespace)s::text, 256) AND namespace = %(namespace)s

-- name: aliases
SELECT c.dataset_id, coalesce(a.type, b.type), least(a.since, b.since),
       d.id, d.namespace, d.name, d.first_seen_at, d.position
FROM dataset_class c
JOIN dataset_class m ON m.class_id = c.class_id AND m.dataset_id <> c.dataset_id
JOIN dataset d ON d.id = m.dataset_id
LEFT JOIN dataset_alias a ON a.dataset_id = c.dataset_id AND a.alias_id = m.dataset_id
LEFT JOIN dataset_alias b ON b.dataset_id = m.dataset_id AND b.alias_id = c.dataset_id
WHERE c.dataset_id = ANY(%(ids)s::uuid[])
ORDER BY c.dataset_id, d.namespace COLLATE "C", d.name COLLATE "C"

-- name: shown_names
WITH member AS (
    SELECT c.dataset_id AS asked, m.dataset_id AS id
    FROM dataset_class c JOIN dataset_class m USING (class_id)
    WHERE c.dataset_id = ANY(%(ids)s::uuid[])
), table_name AS (
    SELECT DISTINCT member.asked, a.alias_id AS id
    FROM member JOIN dataset_alias a ON a.dataset_id = member.id WHERE a.type = 'TABLE'
)
SELECT DISTINCT ON (member.asked) member.asked, d.id, d.namespace, d.name, d.first_seen_at, d.position
FROM member
JOIN dataset d ON d.id = member.id
LEFT JOIN table_name t ON t.asked = member.asked AND t.id = member.id
ORDER BY member.asked, (t.id IS NULL), d.namespace COLLATE "C", d.name COLLATE "C"

-- name: classes
SELECT dataset_id, class_id FROM dataset_class WHERE dataset_id = ANY(%(ids)s::uuid[])

-- name: schema_hashes
SELECT asked.id, v.schema_hash
FROM unnest(%(ids)s::uuid[]) AS asked (id)
CROSS JOIN LATERAL (
    SELECT recent.schema_hash FROM (
        SELECT schema_hash, time, id FROM dataset_version
        WHERE dataset_id = asked.id AND state = 'published' ORDER BY time DESC, id DESC LIMIT 100
    ) AS recent
    WHERE recent.schema_hash IS NOT NULL ORDER BY recent.time DESC, recent.id DESC LIMIT 1
) AS v

-- name: schemas
SELECT hash, fields FROM dataset_schema WHERE hash = ANY(%(hashes)s::text[])
