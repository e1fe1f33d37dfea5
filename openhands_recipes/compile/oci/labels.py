"""Names of the labels our images carry beside the OCI ones."""

LABEL = "io.github.openhands-recipes"
