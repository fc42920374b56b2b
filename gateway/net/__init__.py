"""Connections to machines that are not trusted; used by every part that speaks HTTP as a client.

connector       an aiohttp session with guards, and its errors as ours
resend          a request that a dead connection has swallowed is made again
budget          how many more requests than needed there may be (pure)
address_cache   addresses of hosts, kept while the DNS is away
public_address  which addresses a stranger may name (pure)
json_lines      streams of JSON values, one a line (pure)
"""
