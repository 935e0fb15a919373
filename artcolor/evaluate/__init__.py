"""Judging color: metrics, a benchmark with baselines, and the choice of a model's settings."""
