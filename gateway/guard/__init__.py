"""Protection of the gateway: client identity, rate and connection limits, denylists.

addresses    client address, host and scheme behind trusted proxies
admission    admits or refuses each request: rate per client, concurrency of the process
limits       token buckets per client; shared synchronises them with other machines via Redis
connections  connections per client
denylist     what is not served, read from files that are followed
"""
