"""Removing texts, or rows, for good, with a receipt."""
