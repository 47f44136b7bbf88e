-- name: by_version
SELECT d.kind, d.name, d.version, d.body, d.deleted, d.position, d.at, d.actor
FROM document d
JOIN unnest(%(kinds)s::text[], %(names)s::text[], %(versions)s::int[]) AS asked (kind, name, version)
  ON d.kind = asked.kind AND d.name = asked.name AND d.version = asked.version

-- name: current
SELECT d.kind, d.name, d.version, d.body, d.deleted, d.position, d.at, d.actor
FROM unnest(%(kinds)s::text[], %(names)s::text[]) AS asked (kind, name)
CROSS JOIN LATERAL (
    SELECT * FROM document WHERE kind = asked.kind AND name = asked.name ORDER BY version DESC LIMIT 1
) AS d

-- name: page
SELECT d.kind, d.name, d.version, d.body, d.deleted, d.position, d.at, d.actor
FROM (
    SELECT DISTINCT ON (kind, name) kind, name, version, deleted FROM document
    WHERE (kind, name) > (%(after_kind)s::text, %(after_name)s::text)
      AND (%(kind)s::text IS NULL OR kind = %(kind)s)
    ORDER BY kind, name, version DESC
) AS latest
JOIN document d USING (kind, name, version)
WHERE %(deleted)s OR NOT latest.deleted
ORDER BY d.kind, d.name LIMIT %(limit)s

-- name: count
SELECT count(*) FROM (
    SELECT DISTINCT ON (kind, name) deleted FROM document
    WHERE %(kind)s::text IS NULL OR kind = %(kind)s ORDER BY kind, name, version DESC
) AS latest WHERE %(deleted)s OR NOT latest.deleted

-- name: histories
SELECT d.kind, d.name, d.version, d.body, d.deleted, d.position, d.at, d.actor
FROM unnest(%(kinds)s::text[], %(names)s::text[]) AS asked (kind, name)
CROSS JOIN LATERAL (
    SELECT * FROM document WHERE kind = asked.kind AND name = asked.name AND version < %(after)s
    ORDER BY version DESC LIMIT %(limit)s
) AS d
ORDER BY d.kind, d.name, d.version DESC

-- name: history_counts
SELECT d.kind, d.name, count(*)
FROM unnest(%(kinds)s::text[], %(names)s::text[]) AS asked (kind, name)
JOIN document d ON d.kind = asked.kind AND d.name = asked.name GROUP BY d.kind, d.name
