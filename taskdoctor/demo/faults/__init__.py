"""One file per fault, each with a FAULT constant; found by itself.

There is none for `memory-pressure`: swapping and reclaim need a memory limit on the machine, and lines alone would be
invented. Where the cause is something that grows, the fault's intervals say when it grew; what it did to the service
stands among the stalls of the ground truth.
"""
