"""Process management: start, supervision and shutdown. Imports no room below `wiring` but `ops`.

process          entry point: a single process, or the parent of workers
service          interface of the gateway that a process runs, loaded by its factory's name
supervisor       keeps workers alive; retired_counts keeps the counters of dead ones
worker_process   the parent's handle of one worker; channel carries messages between the two
worker           entry point of a worker process
listeners        listening sockets, opened before anything else
serving          a uvicorn server on one listener
stopping         signal handling: the first signal drains, the second ends at once
tuning           scheduling policy and allocator; collector: Python's garbage collector
"""
