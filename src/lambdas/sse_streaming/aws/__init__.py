"""AWS clients for a poller, and what an AWS failure means."""
