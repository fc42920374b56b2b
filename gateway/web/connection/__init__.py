"""The HTTP connection: uvicorn's parser with limits, one request at a time.

http_connection   one connection: answers in the order of requests, slow readers, limits
request_reader    parses requests with limits on the size and time of heads and bodies
pipelined_input   bytes that a client sends before it has its answer
request_line      strict checks of the request line (pure)
refusals          error responses without the application (pure)
head_coalescer    sends the head of an answer together with the first bytes of its body
write_timeout     cuts connections whose client reads nothing
"""
