# ---
# jupyter:
#   # The source of docs/Genie Observability Demo.ipynb: change it here, then run make dashboard.
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Genie observability: the whole story in one notebook
#
# Genie's audit log says who did what and when, never what was asked or answered: that text exists only in the Genie REST API.
# This notebook reads the audit log, works out which messages exist, fetches them, stores them in one Delta table and looks
# at the result. It runs in two places without a change:
#
# * **on Databricks** (serverless or a cluster with Unity Catalog) against your account, with the service principal whose
#   credentials are in the secret scope `genie-obs`;
# * **anywhere else** against a made-up account that is served on this machine: no workspace, no network, no secret.
#
# For a run every hour deploy the job instead: `docs/deploy.md`.

# %% [markdown]
# ## 1. Configuration
#
# The only cell to edit. The schema is one of its own, so that trying this out does not mix with a deployed job.

# %%
CATALOG = "main"
SCHEMA = "genie_analytics_demo"
WORKSPACE_IDS = ""  # ids separated by commas; empty: all workspaces
SPACE_IDS = ""  # ids separated by commas; empty: all Genie spaces
DAYS_LOOKBACK = 14  # how many days of the audit log are read
SIMULATED_MESSAGES = 500  # size of the made-up account, where there is no Databricks

# %%
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

ON_DATABRICKS = "DATABRICKS_RUNTIME_VERSION" in os.environ

if importlib.util.find_spec("genie_obs") is None:
    # A deployed bundle left its wheel next to this notebook's folder; in a Git folder the package is one folder up.
    repository = Path.cwd().parent
    wheels = sorted(repository.parent.glob("artifacts/**/genie_obs-*.whl"))
    package = str(wheels[-1] if wheels else repository)
    subprocess.run(  # noqa: S603  # our own package, from the folder beside this one
        [sys.executable, "-m", "pip", "install", "--quiet", package], check=True
    )
    importlib.invalidate_caches()

# %%
import html
import tempfile
from datetime import UTC, datetime

from IPython.display import HTML, display  # noqa: A004  # each kind of notebook has another display of its own

from genie_obs.clock import SystemClock
from genie_obs.config import parse_settings
from genie_obs.lakehouse.engines.engine import open_engine
from genie_obs.lakehouse.source_checks import check_sources
from genie_obs.lakehouse.sql import qualify
from genie_obs.lakehouse.tables import Tables
from genie_obs.pipeline.run import run_ingest
from genie_obs.progress import LogProgress
from genie_obs.reports.plan import make_plan
from genie_obs.secret import Credentials, Secret
from genie_obs.security.credentials import load_credentials
from genie_obs.session.job import RunContext
from genie_obs.session.output import set_up_logging

set_up_logging("INFO")
clock = SystemClock()

# %% [markdown]
# ## 2. An account
#
# On Databricks: yours. Elsewhere an account is made up, with workspaces, Genie spaces, people and their questions, and served
# over HTTP with real OAuth. Everything below is the same code for both.

# %%
if ON_DATABRICKS:
    from databricks.sdk.runtime import dbutils

    server = None
    place = {"engine": "databricks"}
    credentials = load_credentials(os.environ, dbutils.secrets.get)
else:
    from genie_obs.simulator import AccountSpec, SimulatorServer, generate_account, write_system_tables

    lakehouse = tempfile.TemporaryDirectory(prefix="genie-obs-demo-")
    account = generate_account(
        AccountSpec(message_count=SIMULATED_MESSAGES, days=DAYS_LOOKBACK, until=datetime.now(UTC))
    )
    server = SimulatorServer(account)
    server.start()
    write_system_tables(account, Path(lakehouse.name))
    place = {"engine": "local", "lakehouse": lakehouse.name}
    credentials = Credentials(client_id=account.client_id, client_secret=Secret(account.client_secret))

settings = parse_settings(
    {
        **place,
        "catalog": CATALOG,
        "schema": SCHEMA,
        "workspace_ids": WORKSPACE_IDS,
        "space_ids": SPACE_IDS,
        "days_lookback": str(DAYS_LOOKBACK),
    },
    {},
)
engine = open_engine(settings.engine)
tables = Tables(engine)

# %% [markdown]
# Two helpers: one runs a query, one draws bars. The queries are plain Spark SQL; our tables are written without catalog and
# schema, which the helper fills in.

# %%
BAR = "background:#2272b4;height:14px;border-radius:2px"


def query(sql: str, **values: int | str):
    """Return the rows of a query as a data frame; values are bound, never pasted."""
    return engine.spark.sql(qualify(sql, engine.names), args=values or None).toArrow().to_pandas()


def bars(frame, label: str, value: str, title: str) -> None:
    """Draw one bar per row of a data frame."""
    most = max([*frame[value], 1])
    rows = "".join(
        f"<tr><td style='text-align:right'>{html.escape(str(name))}</td><td style='width:420px'>"
        f"<div style='{BAR};width:{100 * count / most:.1f}%'></div></td><td>{count:,}</td></tr>"
        for name, count in zip(frame[label], frame[value], strict=True)
    )
    display(HTML(f"<h4>{html.escape(title)}</h4><table>{rows}</table>"))


# %% [markdown]
# ## 3. Discovery: what the audit log knows
#
# Every Genie event, by what was done. Names with the prefix `genie` came through the API, the others from the UI. Reading
# somebody's answer is an event too, which is why counting events is not counting questions.

# %%
workspaces = check_sources(tables, settings.scope).workspaces

events = query(
    """
    SELECT action_name, COUNT(*) AS event_count, COUNT(DISTINCT user_identity.email) AS user_count
    FROM system.access.audit
    WHERE service_name = 'aibiGenie'
      AND event_date >= date_sub(current_date(), :days)
    GROUP BY action_name
    ORDER BY event_count DESC, action_name
    LIMIT 12
    """,
    days=DAYS_LOOKBACK,
)
bars(events, "action_name", "event_count", f"Genie events of {DAYS_LOOKBACK} days, {len(workspaces)} workspaces")

# %% [markdown]
# What would a run do? The plan counts the messages that exist and the calls it takes to read them: a conversation of several
# turns costs one call. Nothing is called or written for it.

# %%
plan = make_plan(tables, settings, workspaces, client_id=credentials.client_id, now=clock.now())
due_count = sum(item.due_count for item in plan.workspaces)
display(
    HTML(
        f"<b>{plan.audit_event_count:,}</b> events name <b>{plan.new_message_count:,}</b> new messages; "
        f"<b>{due_count:,}</b> are due and take <b>{plan.message_calls:,}</b> calls."
    )
)


# %% [markdown]
# ## 4. Ingestion
#
# Discover, fetch while merging, join the SQL that was run, record. This is what the scheduled job does every hour.


# %%
def ingest():
    """Run the job once and return its record."""
    with LogProgress(clock) as progress:
        return run_ingest(
            RunContext(tables=tables, settings=settings, credentials=credentials, clock=clock, progress=progress)
        )


first = ingest()
display(
    HTML(
        f"<b>{first.status}</b> in {first.total_seconds:.1f} s: {first.fetched_count:,} messages stored with "
        f"{first.api_call_count:,} calls, {first.statements_joined_count:,} statements joined."
    )
)

# %% [markdown]
# Once more, right away: what is stored is not asked for again, so the second run has next to nothing to do.

# %%
second = ingest()
display(HTML(f"<b>{second.status}</b>: {second.due_count:,} due, {second.message_call_count:,} calls for messages."))

# %% [markdown]
# ## 5. Is anything missing?
#
# The ledger holds every message that any event ever named, in exactly one state. `forbidden` needs a grant, which the ledger
# names; `deleted` and `not_found` are gone; the others are stored or still coming.

# %%
states = query("""
    SELECT state, COUNT(*) AS message_count, MAX(state_reason) AS example_of_a_reason
    FROM message_ledger
    GROUP BY state
    ORDER BY message_count DESC, state
""")
bars(states, "state", "message_count", "Messages by state")
states

# %% [markdown]
# ## 6. What is asked, and what comes back
#
# One row per question with its answer, the SQL and the rating. This is what the audit log does not have.

# %%
query("""
    SELECT created_at, space_name, user_email, content, status, query_sql, answer_text, feedback_rating
    FROM message_details
    ORDER BY created_at DESC
    LIMIT 10
""")

# %%
days = query("""
    SELECT created_date, COUNT(*) AS question_count
    FROM message_details
    GROUP BY created_date
    ORDER BY created_date
""")
bars(days, "created_date", "question_count", "Questions per day")

# %%
outcomes = query("""
    SELECT
      CASE
        WHEN status = 'FAILED' THEN 'failed'
        WHEN status = 'CANCELLED' THEN 'cancelled'
        WHEN query_sql IS NOT NULL THEN 'answered with SQL'
        WHEN answer_text IS NOT NULL THEN 'answered with text'
        WHEN clarification_text IS NOT NULL THEN 'asked back'
        ELSE 'no answer yet'
      END AS outcome,
      COUNT(*) AS question_count
    FROM message_details
    GROUP BY 1
    ORDER BY question_count DESC, outcome
""")
bars(outcomes, "outcome", "question_count", "What became of the questions")

# %%
spaces = query("""
    SELECT
      COALESCE(space_name, space_id) AS space,
      COUNT(*) AS question_count,
      COUNT(DISTINCT user_email) AS user_count,
      COUNT_IF(status = 'FAILED') AS failed_count,
      COUNT_IF(feedback_rating = 'POSITIVE') AS positive_count,
      COUNT_IF(feedback_rating = 'NEGATIVE') AS negative_count,
      ROUND(percentile(query_duration_ms, 0.5) / 1000, 1) AS median_query_seconds
    FROM message_details
    GROUP BY 1
    ORDER BY question_count DESC, space
""")
bars(spaces.head(10), "space", "question_count", "Questions by space")
spaces

# %% [markdown]
# ## 7. Where next
#
# * The dashboard `sql/genie_observability.lvdash.json` answers some fifty questions over these tables; the bundle deploys it.
# * What each table and column means: `docs/data-model.md`. What each state means and what to do: `docs/operations.md`.
# * Drop the demo's schema on Databricks with `DROP SCHEMA main.genie_analytics_demo CASCADE`.
#
# Elsewhere the last cell stops the made-up account and removes its files.

# %%
engine.close()
if server is not None:
    server.stop()
    lakehouse.cleanup()
