"""From a widget and the chosen filters to one bound statement, and from the statement to its rows."""
