"""The embedded demo: a site, a video and a large directory, and an upstream that serves them.

`pack` writes everything into one CAR file, `origin` serves that file as a trustless gateway in a
process of its own over real HTTP, and `runner` puts the gateway in front of it. The gateway has no
special case for the demo: it fetches, verifies and caches it like any other content.
"""
