"""A live service: one file per channel (port, web port, console, probe, counters); each adds what it can see.

Why no aiomonitor is imported: the client needs a socket and nothing else, so it works whatever version the service has.
"""
