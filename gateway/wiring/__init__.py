"""The composition root: the one package that knows every concrete class.

settings_file   TOML and environment to settings
listeners       sockets, before anything else is started
app             every part put together for one process
serving         uvicorn on those sockets, drained on a signal
process         one process that serves everything
supervisor      one parent and the workers that it keeps alive
worker          one of those workers
"""
