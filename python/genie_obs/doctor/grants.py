"""The commands that grant what is missing: on system tables, on our schema, on a workspace, on a space."""

from __future__ import annotations

import json

from genie_obs.errors import EngineError
from genie_obs.lakehouse.engines.engine import Engine
from genie_obs.lakehouse.errors import engine_errors
from genie_obs.lakehouse.tables import Tables

_NOBODY = "<principal>"


def current_principal(engine: Engine) -> str:
    """Return the principal that grants are made to: who the engine's session runs as, or a placeholder where it does not say."""
    try:
        with engine_errors():
            return Tables(engine).current_user().replace("`", "") or _NOBODY
    except EngineError:
        return _NOBODY


def system_schema_fix(engine: Engine, schema: str) -> str:
    """Return what makes a schema of the system catalog readable."""
    if engine.kind == "local":
        return "write the system tables with 'genie-obs simulate', or copy them into the lakehouse folder"
    who = current_principal(engine)
    return (
        f"as account admin: databricks system-schemas enable <metastore-id> {schema}; "
        f"then GRANT USE CATALOG ON CATALOG system TO `{who}`; GRANT USE SCHEMA, SELECT ON SCHEMA system.{schema} TO `{who}`"
    )


def our_schema_fix(engine: Engine) -> str:
    """Return what lets our tables be read and written."""
    catalog, schema, who = engine.names.catalog, engine.names.schema, current_principal(engine)
    return (
        f"GRANT USE CATALOG ON CATALOG {catalog} TO `{who}`; "
        f"GRANT ALL PRIVILEGES ON SCHEMA {catalog}.{schema} TO `{who}`"
    )


def new_schema_fix(engine: Engine) -> str:
    """Return what lets our schema be made, or written where it exists."""
    catalog, schema, who = engine.names.catalog, engine.names.schema, current_principal(engine)
    return (
        f"GRANT USE CATALOG, CREATE SCHEMA ON CATALOG {catalog} TO `{who}`; "
        f"where the schema exists: GRANT ALL PRIVILEGES ON SCHEMA {catalog}.{schema} TO `{who}`"
    )


def assignment_fix(workspace_id: str, client_id: str) -> str:
    """Return the command that assigns the service principal to a workspace."""
    return (
        f"assign service principal {client_id} to this workspace: databricks account workspace-assignment update "
        f'{workspace_id} <service-principal-id> --json \'{{"permissions": ["USER"]}}\''
    )


def can_manage_fix(host: str, space_id: str, client_id: str) -> str:
    """Return the command that grants CAN MANAGE on a space, to be run by someone who manages it."""
    entry = {"service_principal_name": client_id, "permission_level": "CAN_MANAGE"}
    body = json.dumps({"access_control_list": [entry]})
    url = host if "://" in host else f"https://{host}"
    return f"DATABRICKS_HOST={url} databricks api patch /api/2.0/permissions/genie/{space_id} --json '{body}'"
