"""The edge for content: from a connection to a reply, and back.

connection   the HTTP connection with its limits
hot          finished answers, sent before an ASGI scope exists
app          the ASGI application: admission, request ids, counting
routing      from the head of a request to what it asks for
send         a reply over ASGI
problem      the one table from errors to statuses
pages        listings, previews, the landing page
exchange     one request and its answer, noted while they happen; observer is told of it
clients      addresses and places of clients; upstream_fields: what they are told of upstreams
"""
