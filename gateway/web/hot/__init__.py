"""Finished answers, sent from the connection before an ASGI scope exists.

hot_connection   the connection class: known heads, then parsed ones, then the slow path
table            target and headers -> entry or None (pure); clock bounds it, recent its hosts
known_heads      request heads known to the byte
accept           what an `Accept` value means for an entry (pure)
responder        limits, counters and log of a hot answer
recorder         fills the table from replies; body_builder makes large bodies
file_body        bodies in sealed files; sendfile sends them
"""
