"""One file per command: wiring only. How they all end (write the verdict, leave with its code) is `ending`."""
