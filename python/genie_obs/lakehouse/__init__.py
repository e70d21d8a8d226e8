"""The tables of the lakehouse. Only this folder knows Spark and Delta."""
