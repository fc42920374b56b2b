"""The edge for content: the ASGI application, the connection protocol, pages and problems."""
