"""The ports that take traces: the collector's OTLP and the X-Ray daemon's UDP."""
