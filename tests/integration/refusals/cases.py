"""What a whole workspace may answer, and what is right: one table, by which the job and doctor are tested."""

from __future__ import annotations

from dataclasses import dataclass

from genie_obs.simulator import FaultRule

# Requests to a workspace that gives no usable answer, those for tokens apart: five, or ten where the HTTP library repeats a lost one by
# itself.
HANDFUL = 10  # in one try
# For tokens: six attempts, also twice.
MOST_TOKENS = 12


@dataclass(frozen=True)
class Case:
    """A refusal, and what is said of it; `said` is NULL where a new token heals it."""

    rule: FaultRule
    said: str | None


def _all(refusal: str, said: str | None) -> Case:
    return Case(FaultRule(refusal=refusal), said)


def _action(action: str, said: str) -> Case:
    return Case(FaultRule(action=action), said)


CASES = {
    "IP access list": _all("ip_access_list", "refuses this network"),
    "IP access list, code by name": _all("ip_access_list_named", "refuses this network"),
    "private access": _all("private_access", "refuses this network"),
    "private link, redirect": _all("private_link_redirect", "sign-in, gateway or private access"),
    "not assigned": _all("not_assigned", "refuses the service principal"),
    "not assigned, code by name": _all("not_assigned_named", "refuses the service principal"),
    "network policy": _all("network_policy", "refuses this network"),
    "words nobody knows": _all("unknown_words", "refuses the service principal"),
    "no words": _all("no_words", "refuses the service principal"),
    "feature disabled": _all("feature_disabled", "has no Genie API"),
    "preview off": _all("preview_off", "has no Genie API"),
    "no such API": _all("endpoint_not_found", "has no Genie API"),
    "token refused": _all("refused_token", "does not accept the token"),
    "unauthenticated": _all("unauthenticated", "does not accept the token"),
    "sign-in page": _all("sign_in_page", "sign-in, gateway or private access"),
    "proxy's 403": _all("proxy_403", "sign-in, gateway or private access"),
    "proxy's 407": _all("proxy_407", "sign-in, gateway or private access"),
    "only 502": _all("proxy_502", "answers only errors"),
    "only 500": _all("only_500", "answers only errors"),
    "only 503": _all("only_503", "answers only errors"),
    "another product": _all("other_product", "not as a workspace does"),
    "another product's 404": _all("other_product_404", "has no Genie API"),
    "cancelled": _all("workspace_cancelled", "refuses the service principal"),
    "time-outs": _action("timeout", "time-out"),
    "resets": _action("reset", "gives no answer"),
    "cut off": _action("truncate", "not as a workspace does"),
    "moved": _action("redirect", "redirect to login.invalid"),
    "stale token": _all("stale_token", None),
    "stale token, words nobody knows": _all("stale_token_unknown_words", None),
}
