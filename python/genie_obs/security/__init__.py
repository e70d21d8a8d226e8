"""What may be stored of a text, and who may be told the secret."""
