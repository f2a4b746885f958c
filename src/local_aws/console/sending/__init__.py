"""A request that the console's page sends through a front door, and its answer as it arrives."""
