"""OCI documents and the OpenHands contract."""
