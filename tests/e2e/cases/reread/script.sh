# A message is read again: first shown, then marked. Whatever is wrong is named with its fix, and changes nothing.
genie-obs demo --folder d --messages 60 --days 6 >/dev/null 2>&1
genie-obs reread --lakehouse d/lakehouse
genie-obs reread --lakehouse d/lakehouse --message 01efnothere,https://host/genie/rooms/01ab
genie-obs reread --lakehouse d/lakehouse --message 01efnothere
genie-obs reread --lakehouse d/lakehouse --workspace 42
python -c "import os; from deltalake import DeltaTable; t = DeltaTable('d/lakehouse/main/genie_analytics/message_ledger').to_pyarrow_table().to_pylist(); print(min(r['message_id'] for r in t if r['state'] == 'fetched'), flush=True); os._exit(0)" >chosen; wc -w <chosen
genie-obs reread --lakehouse d/lakehouse --message "$(cat chosen)" | sed -E "s/^[a-z-]+ \([0-9]+\)/<workspace>/"
genie-obs reread --lakehouse d/lakehouse --message "$(cat chosen)" --yes
genie-obs reread --lakehouse d/lakehouse --message "$(cat chosen)" --yes --mark-only | tail -1
genie-obs reread --lakehouse d/lakehouse --message "$(cat chosen)" --json 2>/dev/null | python -c "import json,sys; r=json.loads(sys.stdin.read().splitlines()[-1]); print([p['state'] for p in r['messages']], r['message_calls'], r['is_marked'], r['run'])"
# The service is gone: what could not be read stays marked.
set -a; . d/simulator.env; genie-obs reread --lakehouse d/lakehouse --message "$(cat chosen)" --yes >/dev/null 2>&1
