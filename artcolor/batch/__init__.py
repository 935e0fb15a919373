"""Colorizing many files: plan, run, report."""
