"""A feed: its declaration, a stream's position, the reads, and which of the items read are new."""
