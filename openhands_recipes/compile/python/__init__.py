"""Wheels: resolution results and installed trees."""
