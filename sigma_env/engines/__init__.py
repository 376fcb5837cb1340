"""Engines: rules × event store → matched events."""
