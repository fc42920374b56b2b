"""The composition root: the one package that knows every concrete class.

app         builds all parts of one worker; read it first
content     builds the parts that answer requests for content
upstreams   builds the parts that fetch from upstreams
names       builds the parts that resolve names
operators   builds the parts of the operators' listener
"""
