"""A function that answers as no app should, to see what AWS makes of it."""
