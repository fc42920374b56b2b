"""The composition root: the one package that knows every concrete class.

app         every part of one worker, put together; read it first
upstreams   the parts that fetch from upstreams
names       the parts that resolve names
operators   the parts of the operators' listener
"""
