"""Words: frozen values that know their own shape and nothing else."""
