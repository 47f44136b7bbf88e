select
    case
        when weather.visibility_miles is null then 'unknown'
        when weather.visibility_miles < 2 then 'fog'
        when weather.precipitation_inches > 0 then 'rain or snow'
        when weather.wind_miles_per_hour >= 20 then 'wind'
        else 'fair'
    end as conditions,
    count(*) as flights,
    count(*) filter (where flights.is_cancelled) as cancelled_flights,
    avg(flights.departure_delay_minutes) as average_departure_delay_minutes
from {{ ref('stg_flights') }} as flights
left join {{ ref('stg_weather') }} as weather
    on weather.origin = flights.origin and weather.observed_hour = flights.scheduled_hour
group by conditions
order by conditions
