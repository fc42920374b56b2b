"""What the HTTP gateway specifications say, as pure functions: bytes and values in, values out.

`request` turns a request into a `GatewayRequest`; `answer` and `file_answer` turn what was found
into an `Answer` (status, header fields, body plan). Nothing here reads a clock, a file or a socket.
The specifications: https://specs.ipfs.tech/http-gateways/.
"""
