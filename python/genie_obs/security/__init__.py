"""Decides what may be stored of a text, and which hosts may get the secret."""
