"""The least an engine start can cost: import pyspark and pysail, start Sail in this process, connect, get one answer."""

import pysail  # noqa: F401
import pyspark  # noqa: F401
from pysail.spark import SparkConnectServer
from pyspark.sql import SparkSession

server = SparkConnectServer("127.0.0.1", 0)
server.start(background=True)
host, port = server.listening_address
spark = SparkSession.builder.remote(f"sc://{host}:{port}").getOrCreate()
if spark.sql("SELECT 1").collect()[0][0] != 1:
    raise SystemExit("the engine does not answer")
