select
    origin,
    time_hour as observed_hour,
    temp as temperature_fahrenheit,
    wind_speed as wind_miles_per_hour,
    precip as precipitation_inches,
    visib as visibility_miles
from {{ source('raw', 'weather') }}
