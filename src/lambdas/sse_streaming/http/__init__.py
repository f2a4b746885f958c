"""HTTP as the service speaks it: which route a request means, what it asks for, JSON answers."""
