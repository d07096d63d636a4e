"""One file per fault, each with a FAULT constant; found by itself."""
