"""Processes: started, watched, asked and stopped. Knows no room below `wiring` but `ops`.

process          one process that serves all, or the parent of workers
service          what a process serves, found by its factory's name
supervisor       keeps workers alive; retired_counts keeps what dead ones counted
worker_process   the parent's end of one worker; channel lies between the two
worker           the other end
listeners        sockets, opened before anything else
serving          uvicorn on one of them, drained by us
stopping         signals: the first asks, the second insists
tuning           scheduling and memory of the process; collector: Python's garbage collector
"""
