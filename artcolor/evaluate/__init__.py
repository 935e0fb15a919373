"""Evaluates colorization: metrics, a benchmark with baselines, and sweeps that choose a model's defaults."""
