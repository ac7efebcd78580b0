"""What is wrong with a gradient: the mistake whose numbers are the ones that were found."""

from .evidence import Evidence, difference
from .explain import Finding, explain
from .gradients import diagnose_gradients

__all__ = ["Evidence", "Finding", "diagnose_gradients", "difference", "explain"]
