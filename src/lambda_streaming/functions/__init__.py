"""Functions of a request, served without a framework."""
