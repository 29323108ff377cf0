"""Measuring an LMM: does it plan the right skill with the right arguments, and does it repeat what skills returned."""
