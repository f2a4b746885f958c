"""A Flask app whose answer is generated while it is sent."""
