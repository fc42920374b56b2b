"""The HTTP connection: uvicorn's parser with limits, one request at a time.

http_connection   limits on heads, bodies and time; answers keep the order of requests
pipelined_input   bytes that a client sends before it has its answer
request_line      strict checks of the request line (pure)
refusals          error responses without the application (pure)
head_coalescer    sends the head of an answer together with the first bytes of its body
write_timeout     cuts connections whose client reads nothing
"""
