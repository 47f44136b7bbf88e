select
    faa as airport,
    name as airport_name
from {{ source('raw', 'airports') }}
