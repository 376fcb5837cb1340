"""Benchmarks: how fast the engine is, how much memory a long run takes, and (later) how good models are."""
