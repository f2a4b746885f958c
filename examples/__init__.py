"""Apps to start from: each is run and tested here."""
