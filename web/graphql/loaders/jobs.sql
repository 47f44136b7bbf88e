-- name: by_id
SELECT id, namespace, name, first_seen_at, position, shape_at, shape_hash FROM job WHERE id = ANY(%(ids)s::uuid[])

-- name: page
-- Jobs that stand for definitions of datasets never run: a list of all jobs leaves them out, one of their namespace has
-- them.
SELECT id, namespace, name, first_seen_at, position, shape_at, shape_hash FROM job
WHERE (left(namespace, 256), left(name, 256), id)
    > (left(%(after_namespace)s::text, 256), left(%(after_name)s::text, 256), %(after_id)s::uuid)
  AND CASE WHEN %(namespace)s::text IS NULL THEN namespace <> 'headwater:definitions' ELSE namespace = %(namespace)s END
  AND (%(search)s::text IS NULL OR strpos(lower(name), lower(%(search)s)) > 0)
ORDER BY left(namespace, 256), left(name, 256), id
LIMIT %(limit)s

-- name: count
SELECT count(*) FROM job
WHERE CASE WHEN %(namespace)s::text IS NULL THEN namespace <> 'headwater:definitions' ELSE namespace = %(namespace)s END
  AND (%(search)s::text IS NULL OR strpos(lower(name), lower(%(search)s)) > 0)

-- name: listed
SELECT id, namespace, name, first_seen_at, position, shape_at, shape_hash FROM job WHERE namespace <> 'headwater:definitions'
ORDER BY left(namespace, 256), left(name, 256), id
LIMIT %(limit)s OFFSET %(offset)s

-- name: listed_in
SELECT id, namespace, name, first_seen_at, position, shape_at, shape_hash FROM job
WHERE left(namespace, 256) = left(%(namespace)s::text, 256) AND namespace = %(namespace)s
ORDER BY left(namespace, 256), left(name, 256), id
LIMIT %(limit)s OFFSET %(offset)s

-- name: count_in
SELECT count(*) FROM job WHERE left(namespace, 256) = left(%(namespace)s::text, 256) AND namespace = %(namespace)s

-- name: shapes
SELECT hash, body FROM shape WHERE hash = ANY(%(hashes)s::bytea[])

-- name: parents
SELECT p.job_id, j.id, j.namespace, j.name, j.first_seen_at, j.position, j.shape_at, j.shape_hash
FROM job_parent p JOIN job j ON j.id = p.parent_id
WHERE p.job_id = ANY(%(ids)s::uuid[]) ORDER BY p.job_id, j.namespace COLLATE "C", j.name COLLATE "C"
