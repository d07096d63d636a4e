"""One file per command: wiring only. What they share at the end (write the verdict, leave with its code) is `ending`."""
