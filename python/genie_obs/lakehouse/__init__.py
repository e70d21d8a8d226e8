"""The only room that knows Spark and Delta."""
