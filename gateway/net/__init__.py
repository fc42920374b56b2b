"""Outgoing HTTP connections to untrusted servers; every HTTP client in the gateway uses them.

connector       a hardened aiohttp session, and translation of its errors
resend          repeats a request on a new connection if a pooled one is dead
budget          limits on retries and hedges (pure)
address_cache   host addresses, cached through DNS outages
public_address  filter for addresses of the public internet (pure)
json_lines      parser for streams of JSON values (pure)
"""
