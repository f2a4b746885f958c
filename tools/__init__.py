"""What builds, checks and watches a deployment; never shipped in the zip."""
