"""`headwater doctor`: looks at everything that Headwater stands on, and says what to do about what is not well."""

from web.doctor.diagnosis import diagnose
from web.doctor.finding import Finding, Status

__all__ = ["Finding", "Status", "diagnose"]
