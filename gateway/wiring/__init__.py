"""The composition root: the one package that knows every concrete class.

    settings_file    TOML and environment to settings
    app              every part of one gateway, put together
    service          what a process serves, found by its factory's name
    process          one process that serves all, or the parent of workers
    supervisor       keeps workers alive, and what dead ones counted (departed)
    worker_process   the parent's end of one worker; channel is between the two
    worker           the other end
    listeners        sockets, opened before anything else
    serving          uvicorn on one of them, drained by us
    stopping         the first signal asks, the second insists

`app` is the place to read first.
"""
