"""A small but real chat back end that stalls now and then on purpose: the example, and the source of the sample logs.

Why real: a sleep on the loop, a full pool, a stopped process leave traces that nobody would think of inventing. The
service has weak spots as services have them; a fault (`faults/`, one file each) pulls one of them for a few short
episodes. The service never names its fault in its log; the ground truth goes to a file of its own.

Every part is its own process on loopback (upstream, service, clients, tool servers) and ends with the launcher.
"""
