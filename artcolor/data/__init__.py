"""Builds, reads and augments data sets of paintings."""
