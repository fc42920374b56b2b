"""The Starlette edge for operators, on a listener of its own: metrics, health, statistics."""
