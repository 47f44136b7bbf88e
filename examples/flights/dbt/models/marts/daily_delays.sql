select
    flight_date,
    count(*) as flights,
    count(*) filter (where is_cancelled) as cancelled_flights,
    avg(departure_delay_minutes) as average_departure_delay_minutes,
    avg(arrival_delay_minutes) as average_arrival_delay_minutes,
    quantile_cont(departure_delay_minutes, 0.95) as p95_departure_delay_minutes
from {{ ref('stg_flights') }}
group by flight_date
order by flight_date
