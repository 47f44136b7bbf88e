"""The index of the search: what datasets, jobs and pipelines are found by, kept beside the state and made from it.

`words` says how texts are parted and compared, `texts` what an entity says of itself, `index` keeps the tables
`search_word` and `search_entry` up to date and makes them anew. Imports nothing of ours but `catalog`.
"""
