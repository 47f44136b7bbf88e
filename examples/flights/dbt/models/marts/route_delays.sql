select
    flights.origin || '-' || flights.destination as route,
    flights.origin,
    flights.destination,
    airports.airport_name as destination_name,
    count(*) as flights,
    sum(planes.seats)::bigint as seats,
    avg(flights.distance_miles) as distance_miles,
    avg(flights.arrival_delay_minutes) as average_arrival_delay_minutes
from {{ ref('stg_flights') }} as flights
left join {{ ref('stg_airports') }} as airports on airports.airport = flights.destination
left join {{ ref('stg_planes') }} as planes on planes.tail_number = flights.tail_number
group by flights.origin, flights.destination, airports.airport_name
order by route
