"""An Application Load Balancer before the function: its own event, buffered."""
