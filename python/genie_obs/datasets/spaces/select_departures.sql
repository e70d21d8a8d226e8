-- grain: one row per space that was trashed, deleted or restored: the newest accepted event
WITH events AS (
  SELECT
    workspace_id,
    space_id,
    CASE
      WHEN lower(action) IN ('trashspace', 'genietrashspace') THEN 'trashed'
      WHEN lower(action) IN ('deletespace', 'geniedeletespace') THEN 'deleted'
      WHEN lower(action) IN ('restorespace', 'genierestorespace', 'untrashspace', 'genieuntrashspace') THEN 'restored'
    END AS went_state,
    event_time AS went_at,
    actor AS went_by,
    event_id
  FROM genie_events
  WHERE kind = 'space'
    AND is_accepted
    AND space_id IS NOT NULL
    AND is_in_scope(workspace_id, :workspace_ids)
),
ranked AS (
  SELECT
    workspace_id,
    space_id,
    went_state,
    went_at,
    went_by,
    ROW_NUMBER() OVER (PARTITION BY workspace_id, space_id ORDER BY went_at DESC, event_id DESC) AS place
  FROM events
  WHERE went_state IS NOT NULL
)
SELECT
  workspace_id,
  space_id,
  went_state,
  went_at,
  went_by
FROM ranked
WHERE place = 1
