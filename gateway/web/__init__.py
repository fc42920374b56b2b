"""The edge for content: from a connection to a reply, and back.

connection   the HTTP connection with its limits
hot          finished answers, sent before an ASGI scope exists
app          the ASGI application: admission, request ids, counting
routing      from the head of a request to its host, site and content path
send         a reply over ASGI
problem      error responses: the one table from errors to statuses
pages        listings, previews, the landing page
exchange     the record of one request and its answer; observer receives it
clients      addresses and places of clients
upstream_fields   the response fields about upstreams
"""
