"""A stream: the life of one connection, and the blocks that it sends."""
