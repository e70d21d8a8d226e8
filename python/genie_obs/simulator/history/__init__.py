"""Months of people at work: fills an account with conversations and oddities."""
