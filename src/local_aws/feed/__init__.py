"""A feed of the service: the tables, items and settings that its declaration asks for."""
