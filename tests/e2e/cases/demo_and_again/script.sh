# From nothing to tables, and a second run that has nothing to do although the service is gone.
genie-obs demo --folder d --messages 60 --days 6 --json 2>/dev/null | python -c "import json,sys; r=json.loads(sys.stdin.read().splitlines()[-1]); print(r['status'], r['due_count'] > 0, r['due_count'] == r['witnessed_count'], r['workspace_errors'])"
ls d d/lakehouse/main/genie_analytics
stat -c %a d/simulator.env
ls d/lakehouse/main/genie_analytics/message_details/_delta_log | wc -l > before
set -a; . d/simulator.env; genie-obs ingest --lakehouse d/lakehouse --json 2>/dev/null | python -c "import json,sys; r=json.loads(sys.stdin.read().splitlines()[-1]); print({k: r[k] for k in ('status','due_count','new_message_count','api_call_count','message_call_count')})"
ls d/lakehouse/main/genie_analytics/message_details/_delta_log | wc -l | diff before -
genie-obs plan --lakehouse d/lakehouse | tail -1
genie-obs status --lakehouse d/lakehouse --json 2>/dev/null | python -c "import json,sys; s=json.loads(sys.stdin.read().splitlines()[-1]); print(s['witnessed_count'] == sum(s['states'].values()), [r['status'] for r in s['runs']])"
genie-obs init --lakehouse d/lakehouse
# The demo may be made again over itself.
genie-obs demo --folder d --messages 60 --days 6 >/dev/null 2>&1
grep -c "Content-Security-Policy" d/dashboard.html
genie-obs dashboard export --lakehouse d/lakehouse --days-lookback 5 --out again.html 2>/dev/null | cut -d "(" -f 1
genie-obs dashboard export --lakehouse d/lakehouse --days-lookback never --out again.html
genie-obs dashboard export --lakehouse d/lakehouse --dashboard nowhere.lvdash.json --out again.html
