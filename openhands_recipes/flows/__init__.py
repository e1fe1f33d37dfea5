"""Stories: one verb of the product each; doors come in as arguments."""
