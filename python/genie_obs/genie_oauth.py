"""Tokens of the service principal, under their public name."""

from genie_obs.genie_api.oauth import TOKEN_PATH, TokenSource, renewal_margin_seconds

__all__ = ["TOKEN_PATH", "TokenSource", "renewal_margin_seconds"]
