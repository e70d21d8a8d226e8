"""`space_details`: the Genie spaces, asked daily, and the judge of what may be read."""
