select
    flights.flight_month,
    flights.carrier,
    airlines.airline,
    count(*) as flights,
    count(*) filter (where flights.is_cancelled) as cancelled_flights,
    count(flights.arrival_delay_minutes) as landed_flights,
    count(*) filter (where flights.arrival_delay_minutes > 15) as late_flights,
    avg(flights.arrival_delay_minutes) as average_arrival_delay_minutes
from {{ ref('stg_flights') }} as flights
join {{ ref('stg_airlines') }} as airlines on airlines.carrier = flights.carrier
group by flights.flight_month, flights.carrier, airlines.airline
order by flights.flight_month, flights.carrier
