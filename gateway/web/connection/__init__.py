"""The HTTP connection: uvicorn's parser with limits, one request at a time.

http_connection   limits on heads, bodies and time; answers keep the order of requests
pipelined_input   what a client sends before it has its answer
request_line      the request line, checked to the byte (pure)
refusals          answers made without an application (pure)
head_coalescer    the head of an answer waits for the first bytes of its body
write_timeout     readers that take nothing are cut
"""
