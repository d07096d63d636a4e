"""What runs inside a watched service: standard library only, sent as source, and gone without a trace at the end.

Nothing here is imported by taskdoctor, nor by the service: the text of a module is run in a dictionary of its own.
"""
