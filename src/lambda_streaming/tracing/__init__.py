"""The two tracers and the seam between them."""
