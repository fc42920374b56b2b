"""The embedded demo: a site, a video and a large directory, and an upstream that serves them.

`pack` writes everything into one CAR file, `origin` serves that file as a trustless gateway in a
process of its own over real HTTP, and `runner` puts the gateway in front of it. Nothing here is
special-cased by the gateway: it fetches, verifies and caches the demo like any other content.
"""
