"""Removes texts or rows for good, and stores a receipt."""
