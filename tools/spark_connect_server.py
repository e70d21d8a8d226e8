"""Serves Apache Spark with Delta Lake as a Spark Connect server on the JVM. Our SQL is tested on it besides Sail.

python tools/spark_connect_server.py --prepare       fetch what the server is made of into build/spark, nothing else
python tools/spark_connect_server.py --port 15002    serve until interrupted; use it with --engine sc://localhost:15002

Needs Java 17 or newer and, to prepare, Maven. Spark comes from PyPI (its jars are in the package `pyspark`, which must not
share an environment with `pyspark-client`), Delta Lake from Maven Central.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "build" / "spark"

SPARK_VERSION = "4.2.0"  # that of pyspark-client: client and server speak the same protocol
DELTA_ARTIFACT = "delta-spark_4.2_2.13"  # named after the Spark and Scala versions it is built for
DELTA_VERSION = "4.4.0"
_OLDEST_JAVA = 17
_INSTALL_JAVA = "install a headless JRE of version 17 or newer (Debian: apt-get install default-jre-headless)"
_START_SECONDS = 240.0  # 10 s on a quiet machine
_STOP_SECONDS = 20.0
# On two cores, optimising compilers and parallel collectors cost more than they save for short statements. Without the
# other compilers the JVM keeps only 48 MB for compiled code; Spark fills it, and the JVM then spends most of its time on
# throwing code out.
_JAVA_OPTIONS = "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=256m -XX:+UseSerialGC"
# Ends the server when its standard input closes, so also when we are killed. Otherwise the JVM would stay for ever, and so
# would its scratch folder, which the first argument names.
_WATCH = """exec 3<&0
scratch=$1; shift
"$@" & server=$!
(read -r _ <&3; while kill "$server" 2>/dev/null; do sleep 0.2; done; rm -rf "$scratch") &
exec 3<&-
wait "$server"
"""
# Logs warnings, and the line that says which port the server took. More would make the log grow by megabytes a minute.
_LOGGING = """rootLogger.level = warn
rootLogger.appenderRef.out.ref = out
appender.out.type = Console
appender.out.name = out
appender.out.target = SYSTEM_ERR
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{HH:mm:ss} %p %c{1}: %m%n%ex
logger.server.name = org.apache.spark.sql.connect.service.SparkConnectServer
logger.server.level = info
"""
_STARTED = re.compile(r"Spark Connect server started at: \S*?:(\d+)$", re.MULTILINE)

_POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>genie-obs</groupId><artifactId>spark-test-bed</artifactId><version>1</version>
  <dependencies>
    <dependency>
      <groupId>io.delta</groupId><artifactId>{DELTA_ARTIFACT}</artifactId><version>{DELTA_VERSION}</version>
    </dependency>
  </dependencies>
</project>
"""

CONFIGURATION = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.sql.ansi.enabled": "true",  # as on Databricks serverless
    "spark.sql.session.timeZone": "UTC",
    "spark.ui.enabled": "false",
    # For a few hundred rows on two cores, planning and compiling cost far more than the rows: together half of the time.
    "spark.sql.shuffle.partitions": "1",
    "spark.databricks.delta.snapshotPartitions": "1",
    "spark.sql.sources.parallelPartitionDiscovery.parallelism": "1",  # VACUUM: ten thousand tasks otherwise
    "spark.databricks.delta.merge.materializeSource": "none",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
}


class SparkServerError(Exception):
    """Parts of the server are missing or cannot be fetched, or it does not start. The text says what to do."""


def missing_parts(folder: Path = FOLDER) -> str | None:
    """Return what is missing on this machine to start the server, and how to get it; None if nothing is."""
    if problem := _missing_java():
        return problem
    if not (_spark_home(folder) / "bin" / "spark-submit").exists() or not list(_jars(folder).glob("delta-spark*.jar")):
        return "Spark and Delta Lake are not in build/spark; run: make test-spark"
    return None


def prepare(folder: Path = FOLDER) -> None:
    """Fetch Spark and Delta Lake into the folder; does nothing when they are there in the right versions.

    Raises:
        SparkServerError: if Java or Maven is missing, a download fails, or the client in this environment is another version.
    """
    if problem := _missing_java():
        raise SparkServerError(problem)
    if (client := version("pyspark-client")) != SPARK_VERSION:
        raise SparkServerError(
            f"pyspark-client is {client}, the server {SPARK_VERSION}: set SPARK_VERSION and DELTA_ARTIFACT in {Path(__file__).name}"
        )
    marker = folder / "versions.txt"
    wanted = f"pyspark {SPARK_VERSION}, {DELTA_ARTIFACT} {DELTA_VERSION}\n"
    if marker.exists() and marker.read_text(encoding="utf-8") == wanted:
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    # Without dependencies: of the package only the jars and the start script are used. uv keeps what it built and links to it.
    uv = [
        str(Path(sys.executable).with_name("uv")),
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--python",
        sys.executable,
    ]
    _call([*uv, "--target", str(folder / "python"), f"pyspark=={SPARK_VERSION}"])
    if shutil.which("mvn") is None:
        raise SparkServerError("Maven is not installed; install it to fetch Delta Lake (Debian: apt-get install maven)")
    pom = folder / "pom.xml"
    pom.write_text(_POM, encoding="utf-8")
    # Only what Spark does not bring itself: a second copy of its libraries could be another version.
    copy = ["dependency:copy-dependencies", "-DincludeScope=runtime", "-DincludeGroupIds=io.delta,io.unitycatalog"]
    patient = "-Dmaven.wagon.http.retryHandler.count=5"
    _call(["mvn", "-q", "-B", patient, "-f", str(pom), *copy, f"-DoutputDirectory={_jars(folder)}"])
    marker.write_text(wanted, encoding="utf-8")


@contextmanager
def spark_connect_server(folder: Path = FOLDER, *, port: int = 0, log: Path | None = None) -> Iterator[str]:
    """Serve on loopback and yield the address, `sc://localhost:port`; with port 0 the server takes a free one by itself.

    The catalog is in memory: tables are gone with the server, folders named by LOCATION stay.

    Raises:
        SparkServerError: if parts are missing or the server does not answer within four minutes.
    """
    if problem := missing_parts(folder):
        raise SparkServerError(problem)
    with tempfile.TemporaryDirectory(prefix="genie-obs-spark-", ignore_cleanup_errors=True) as scratch:
        path = log or Path(scratch) / "server.log"
        with path.open("w+", encoding="utf-8") as output:
            process = _start(folder, port, Path(scratch), output)
            try:
                yield f"sc://localhost:{_wait_until_ready(process, path)}"
            finally:
                _stop(process)


def _start(folder: Path, port: int, scratch: Path, output: IO[str]) -> subprocess.Popen[str]:
    home = _spark_home(folder)
    logging = scratch / "log4j2.properties"
    logging.write_text(_LOGGING, encoding="utf-8")
    settings = {
        **CONFIGURATION,
        "spark.connect.grpc.binding.address": "127.0.0.1",
        "spark.connect.grpc.binding.port": str(port),
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.sql.warehouse.dir": str(scratch / "warehouse"),
        "spark.local.dir": str(scratch),
    }
    command = [
        str(home / "bin" / "spark-submit"),
        *("--class", "org.apache.spark.sql.connect.service.SparkConnectServer"),
        *("--name", "genie-obs"),
        *("--master", "local[2]"),
        *("--driver-memory", "2g"),
        *("--driver-java-options", f"{_JAVA_OPTIONS} -Dlog4j2.configurationFile={logging}"),
        *("--jars", ",".join(map(str, sorted(_jars(folder).glob("*.jar"))))),
        *(part for name, value in settings.items() for part in ("--conf", f"{name}={value}")),
        "spark-internal",
    ]
    environment = {**os.environ, "SPARK_HOME": str(home), "SPARK_LOCAL_IP": "127.0.0.1", "TZ": "UTC"}
    # A group of its own, so that Ctrl-C reaches us first and we stop it in order.
    return subprocess.Popen(  # noqa: S603  # our own command
        ["/bin/sh", "-c", _WATCH, "watch", str(scratch), *command],
        cwd=scratch,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def _wait_until_ready(process: subprocess.Popen[str], log: Path) -> int:
    """Return the port, once the server says that it listens on it."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if started := _STARTED.search(log.read_text(encoding="utf-8", errors="replace")):
            return int(started[1])
        if process.poll() is not None:
            raise SparkServerError(f"the server ended with {process.returncode}:\n{_tail(log)}")
        time.sleep(0.1)
    raise SparkServerError(f"the server does not listen after {_START_SECONDS:.0f} s:\n{_tail(log)}")


def _stop(process: subprocess.Popen[str]) -> None:
    if process.stdin is not None:
        process.stdin.close()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _tail(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join([line for line in lines if not line.startswith("\tat ")][-15:])


def _missing_java() -> str | None:
    if (java := _java_version()) is None:
        return f"Java is not installed; {_INSTALL_JAVA}"
    return f"Java {java} is too old; {_INSTALL_JAVA}" if java < _OLDEST_JAVA else None


def _java_version() -> int | None:
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home) / "bin" / "java") if home else shutil.which("java")
    if java is None or not Path(java).exists():
        return None
    shown = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr  # noqa: S603
    found = re.search(r'version "(\d+)', shown)
    return int(found[1]) if found else None


def _call(command: list[str]) -> None:
    done = subprocess.run(  # noqa: S603  # our own commands
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode:
        last = "\n".join(done.stdout.splitlines()[-15:])
        raise SparkServerError(f"{Path(command[0]).name} failed with {done.returncode}:\n{last}")


def _spark_home(folder: Path) -> Path:
    return folder / "python" / "pyspark"


def _jars(folder: Path) -> Path:
    return folder / "jars"


def main(arguments: list[str] | None = None) -> int:
    """Prepare or serve. Return the exit code: 0 done, 1 not possible here."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prepare", action="store_true", help="fetch the server's parts and stop")
    parser.add_argument("--port", type=int, default=15002, help="port on loopback (default 15002)")
    options = parser.parse_args(arguments)
    try:
        prepare()
        if options.prepare:
            return 0
        with spark_connect_server(port=options.port) as address:
            print(f"serving on {address}; stop with Ctrl-C", flush=True)
            signal.sigwait({signal.SIGINT, signal.SIGTERM})
    except KeyboardInterrupt:
        return 0
    except SparkServerError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
