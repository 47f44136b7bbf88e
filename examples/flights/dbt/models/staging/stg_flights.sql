-- A table, so that every mart of one build sees the same months, even if another month lands meanwhile.
{{ config(materialized='table') }}

select
    carrier || ' ' || flight || ' ' || strftime(time_hour at time zone 'UTC', '%Y-%m-%dT%H') as flight_key,
    make_date(year, month, day) as flight_date,
    strftime(make_date(year, month, day), '%Y-%m') as flight_month,
    time_hour as scheduled_hour,
    carrier,
    flight as flight_number,
    tailnum as tail_number,
    origin,
    dest as destination,
    dep_time is null as is_cancelled,
    dep_delay as departure_delay_minutes,
    arr_delay as arrival_delay_minutes,
    distance as distance_miles
from {{ source('raw', 'flights') }}
