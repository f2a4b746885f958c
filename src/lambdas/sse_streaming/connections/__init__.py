"""A connection's slot: the limit over all execution environments."""
