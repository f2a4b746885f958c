"""Listeners on loopback: connections, HTTP as it comes and goes, and who may ask."""
