"""The HTTP gateway specifications as pure functions: bytes and values in, values out.

request    parses a request into a `GatewayRequest`: with query, host, sites, formats, car
answer     makes an `Answer` (status, header fields, plan of the body) of content that was found;
           file_answer, block_answer and record_answer do so for files, blocks and IPNS records
ranges     byte ranges; conditional: preconditions; etags, freshness, disposition: their fields
redirects  redirects of the specifications; redirects_file: the `_redirects` of a website
listing    the rows of a directory page; document: those of a preview
media      content types by name and by the first bytes

Nothing here reads a clock, a file or a socket. The specifications are at
https://specs.ipfs.tech/http-gateways/.
"""
