"""What both tracers have sent, kept, laid out on one time axis, and judged."""
