"""What the front doors share: a listener, an invocation begun, its answer passed on."""
