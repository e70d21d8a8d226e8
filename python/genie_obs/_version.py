"""The version of the package, in a module of its own: code that needs it does not depend on `genie_obs/__init__.py`."""

__version__ = "0.1.0"
