"""What the JSON of one message becomes: its values, and what in it is not as this version knows it. Pure."""
