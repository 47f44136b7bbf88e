"""What schemathesis must be told of our descriptions."""

import schemathesis
from hypothesis import strategies as st

schemathesis.openapi.format("time-zone", st.sampled_from(["UTC", "Europe/Zurich", "Asia/Kathmandu"]))
