"""The feed: a stream's position, the reads from it, and which of the items read are new."""
