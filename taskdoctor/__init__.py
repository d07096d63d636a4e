"""A doctor for asyncio services that stall now and then."""

__version__ = "0.1.0"
