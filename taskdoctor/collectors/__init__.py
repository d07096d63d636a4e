"""The only readers of the outside world; each gives a `Snapshot`."""
