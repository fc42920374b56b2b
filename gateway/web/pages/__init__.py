"""Pages that the gateway itself makes.

templates   the environment, the style and the content policy that pages share
landing     the page at `/`
listing     the page of a directory, sent while it is made
document    the preview of a DAG-JSON or DAG-CBOR document
"""
