"""A feed of one's own: the progress of jobs, each tenant's for itself."""
