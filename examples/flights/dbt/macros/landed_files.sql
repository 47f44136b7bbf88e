-- Gives every source the name by which models read it: a view over the Parquet files that were landed for it.
-- A view, and not dbt-duckdb's external_location: then column lineage names warehouse.raw.flights, and not a path.
{% macro create_views_of_landed_files() %}
    {%- if execute %}
    {%- for source in graph.sources.values() %}
        create schema if not exists {{ adapter.quote(source.schema) }};
        create or replace view {{ adapter.quote(source.schema) }}.{{ adapter.quote(source.name) }} as
        select * from read_parquet('data/raw/{{ source.name }}/*.parquet', union_by_name = true);
    {%- endfor %}
    {%- endif %}
{% endmacro %}
