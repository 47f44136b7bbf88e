select
    tailnum as tail_number,
    manufacturer,
    model,
    seats
from {{ source('raw', 'planes') }}
