"""Refusals as workspaces, gateways and proxies give them: a table, one row for each.

A row whose comment names a source has the body that is quoted there. The others have bodies of ours, in the shape that the Databricks
documentation and SDKs describe. So nothing may depend on their words.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from genie_obs.simulator.rest_api.responses import Response

_PAGE = "<!DOCTYPE html><html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """What is answered; a body that is a text is a page with this title. `needs_new_token`: until the token is renewed."""

    status: int
    body: Mapping[str, object] | str
    headers: Mapping[str, str] = field(default_factory=dict)
    needs_new_token: bool = False

    def response(self) -> Response:
        """Return it as an answer."""
        if isinstance(self.body, str):
            page = _PAGE.format(title=self.body).encode()
            return Response(self.status, page, dict(self.headers), content_type="text/html; charset=utf-8")
        return Response(self.status, json.dumps(self.body).encode(), dict(self.headers))


_BLOCKED = "Source IP address: 203.0.113.9 is blocked by Databricks IP ACL for workspace: 7 [ReqId: 0000]"
_INVALID = "Invalid access token. [ReqId: 0000]"
REFUSALS: Mapping[str, Refusal] = {
    # The number in place of a code's name is what is seen in public: https://github.com/omnigent-ai/omnigent/issues/4463
    "ip_access_list": Refusal(status=403, body={"error_code": 403, "message": _BLOCKED}),
    "ip_access_list_named": Refusal(status=403, body={"error_code": "PERMISSION_DENIED", "message": _BLOCKED}),
    "private_access": Refusal(
        status=403, body={"error_code": "403", "message": "Public access is not allowed for workspace: 7"}
    ),
    "private_link_redirect": Refusal(
        status=303, body="See other", headers={"Location": "/login.html?error=private-link-validation-error:7"}
    ),
    # https://github.com/databricks/databricks-sdk-go/issues/853: a token of an identity that is not assigned to the workspace.
    "not_assigned": Refusal(
        status=403,
        body={"error_code": 403, "message": "Invalid access to Org: 7"},
        headers={"X-Databricks-Reason-Phrase": "Invalid access to Org: 7"},
    ),
    # https://github.com/databricks/terraform-provider-databricks/issues/2715; the code is assumed.
    "not_assigned_named": Refusal(
        status=403, body={"error_code": "PERMISSION_DENIED", "message": "Unauthorized access to Org: 7"}
    ),
    "network_policy": Refusal(
        status=403, body={"error_code": "PERMISSION_DENIED", "message": "Access denied by the ingress network policy."}
    ),
    "unknown_words": Refusal(status=403, body={"error_code": "E_4711", "message": "Von hier aus nicht erlaubt."}),
    "no_words": Refusal(status=403, body={}),
    "feature_disabled": Refusal(
        status=404, body={"error_code": "FEATURE_DISABLED", "message": "Genie is not enabled."}
    ),
    "preview_off": Refusal(
        status=403, body={"error_code": "PERMISSION_DENIED", "message": "The preview is disabled for this workspace."}
    ),
    "endpoint_not_found": Refusal(
        status=404, body={"error_code": "ENDPOINT_NOT_FOUND", "message": "No API found for 'GET /2.0/genie/spaces'"}
    ),
    "stale_token": Refusal(
        status=403,
        body={"error_code": 403, "message": _INVALID},
        headers={"X-Databricks-Reason-Phrase": "Invalid access token."},
        needs_new_token=True,
    ),
    "stale_token_unknown_words": Refusal(
        status=403, body={"error_code": 403, "message": "Jeton expir\u00e9"}, needs_new_token=True
    ),
    "refused_token": Refusal(status=403, body={"error_code": 403, "message": _INVALID}),
    "unauthenticated": Refusal(
        status=401, body={"error_code": "UNAUTHENTICATED", "message": "Credential was not sent."}
    ),
    "sign_in_page": Refusal(status=200, body="Sign in to Databricks"),
    "proxy_403": Refusal(status=403, body="Blocked by your organisation's policy"),
    "proxy_407": Refusal(status=407, body="Proxy authentication required"),
    "proxy_502": Refusal(status=502, body="Bad gateway"),
    "only_500": Refusal(status=500, body={"error_code": "INTERNAL_ERROR", "message": "Something went wrong."}),
    "only_503": Refusal(status=503, body={"error_code": "TEMPORARILY_UNAVAILABLE", "message": "The service is down."}),
    "other_product": Refusal(status=200, body={"status": "ok", "version": "1.2.3"}),
    "other_product_404": Refusal(
        status=404, body={"timestamp": 1, "status": 404, "error": "Not Found", "path": "/api"}
    ),
    "workspace_cancelled": Refusal(
        status=400, body={"error_code": "INVALID_STATE", "message": "The workspace is cancelled."}
    ),
}
