"""Its routes, and what they depend on."""
