"""Resolution of IPNS keys and DNSLink domains to content paths, with a cache of the answers.

resolver       follows a mutable path hop by hop to an immutable one
ipns           the newest valid record of an IPNS key; shared keeps records in Redis
dnslink        the target of a domain, from the static map or the DNS
dns            TXT lookups; turns shares the concurrent ones fairly among domains
domains        the domains that may be looked up (pure)
hosts          addresses of the hosts that the gateway connects to
name_cache     cached answers and failures; held has their lifetimes (pure)
single_flight  one search at a time for each name; table is the bounded LRU map
"""
