"""What a process does: it is taken over, built, and lives around its invocations."""
