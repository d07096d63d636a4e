"""The parts of the terminal page; with `terminal.py` and `page.py` the only ones that know rich."""
