"""Traces: received, stored, laid out on one time axis, checked against X-Ray's limits."""
