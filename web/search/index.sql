-- name: index_alone
-- Whatever the statistics say: the index costs milliseconds, looking at every row costs seconds.
SELECT set_config('enable_seqscan', 'off', true), set_config('jit', 'off', true)

-- name: as_before
SELECT set_config('enable_seqscan', %(seqscan)s, true)

-- name: waiting
SELECT EXISTS (SELECT FROM search_change)

-- name: known_words
SELECT word, id FROM search_word WHERE word = ANY(%(words)s::text[])

-- name: beginning_with
SELECT a.word, w.id, w.word
FROM unnest(%(words)s::text[]) AS a (word)
CROSS JOIN LATERAL (
    SELECT id, word FROM search_word
    WHERE word >= a.word COLLATE "C" AND word < (a.word || U&'\+10FFFF') COLLATE "C" ORDER BY word LIMIT %(limit)s
) AS w

-- name: with_parts
SELECT id, word FROM search_word
WHERE left(word, 1) <> '=' AND search_terms(word) @@ %(terms)s::tsquery
  AND length(word) BETWEEN %(shortest)s AND %(longest)s
LIMIT %(limit)s

-- name: texts
SELECT e.kind, e.id, e.texts
FROM unnest(%(kinds)s::text[], %(ids)s::uuid[]) AS a (kind, id) JOIN search_entry e ON e.kind = a.kind AND e.id = a.id

-- name: way
-- Of so much that may fit as is looked at, shorter names first; `looked_at` says whether there is more.
(SELECT way, kind, id, namespace, name, looked_at FROM (
    SELECT /* way */ AS way, kind, id, namespace, name, count(*) OVER () AS looked_at FROM (
        SELECT kind, id, namespace, name FROM search_entry WHERE /* conditions */ LIMIT %(looked_at)s
    ) AS looked
) AS counted
ORDER BY length(name), name COLLATE "C", namespace COLLATE "C", kind, id LIMIT %(kept)s)
