"""Finished answers, sent from the connection before an ASGI scope exists.

hot_connection   the connection class: known heads, then parsed ones, then the slow path
table            target and headers -> entry or None (pure)
clock            bounds the table in bytes; recent: a bounded map of the hosts
known_heads      finished answers by the exact bytes of a request head
accept           what an `Accept` value means for an entry (pure)
responder        applies limits, counters and the access log to a hot answer
recorder         fills the table from replies; body_builder makes large bodies
file_body        large bodies in sealed anonymous files; sendfile sends them
"""
