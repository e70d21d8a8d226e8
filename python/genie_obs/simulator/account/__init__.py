"""One made-up Databricks account: what it holds, and what can happen in it."""
