"""What the operator sees: clock, places, statistics, metrics, logs, health."""
