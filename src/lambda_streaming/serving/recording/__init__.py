"""What is recorded of the requests of an app: its trace in two phases, a line in the log."""
