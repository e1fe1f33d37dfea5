"""The door to OCI registries (distribution-spec 1.1): pushing, and proving who we are."""
