"""What a message means, as data: one module per subject, each with a tuple of `LogEvent`.

A module whose name starts with `generic` speaks for services that nobody here wrote; of the others the writer is known.
"""
