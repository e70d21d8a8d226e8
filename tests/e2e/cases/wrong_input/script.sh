# Each mistake is named with its fix, ends with exit code 2, and nothing is written.
genie-obs demo --folder d --messages 30 --days 5 --json >/dev/null 2>&1
genie-obs ingest --lakehouse d/lakehouse
export DATABRICKS_SP_CLIENT_ID=someone
genie-obs ingest --lakehouse d/lakehouse
export DATABRICKS_SP_CLIENT_SECRET=made-up
genie-obs ingest --lakehouse nowhere
mkdir plain
genie-obs ingest --lakehouse plain
genie-obs ingest --lakehouse d/lakehouse --workspace-ids 42
genie-obs ingest --lakehouse d/lakehouse --days-lookback -3
genie-obs ingest --lakehouse d/lakehouse --days-lookback -3 --batch-size many --engine duck --catalog "x;y"
GENIE_OBS_DAYS_LOOKBACK=0 genie-obs plan --lakehouse d/lakehouse
genie-obs ingest --no-such-flag
genie-obs no-such-command
genie-obs demo --folder plain/.. --messages 30
# A lakehouse without our tables yet: what is missing among the system tables is found before anything is made.
mkdir fresh && cp -r d/lakehouse/system fresh/
genie-obs status --lakehouse fresh
genie-obs ingest --lakehouse fresh --skip-sources access.audit,quarry.history
rm -r fresh/system/access/workspaces_latest
genie-obs ingest --lakehouse fresh
cp -r d/lakehouse/system/access/workspaces_latest fresh/system/access/
rm -r fresh/system/access/audit && cp -r fresh/system/access/workspaces_latest fresh/system/access/audit
genie-obs ingest --lakehouse fresh
ls fresh
