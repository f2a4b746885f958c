"""From ended spans to the collector: one try per flush, bounded, every loss counted."""
