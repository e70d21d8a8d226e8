"""What the made-up company does: its tables and measures, and what people ask about them."""
