"""The feed: a position, what is new since it, and the reads that find out."""
