"""The REST API of a workspace: from request to response, without any network."""
