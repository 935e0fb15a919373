"""Colorizes many files: plan, run, report."""
