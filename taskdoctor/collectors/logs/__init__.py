"""Logs: reading, scanning, merging. `formats/` = line prefixes as data, `events/` = what a message means as data.

Why bytes and a prefilter: a log of a gigabyte holds a few percent of lines that say anything about a stall. Literals
of all events are searched in whole blocks, and only the lines around a hit are decoded, parsed and matched; memory
stays flat.
"""
