"""The numbers we hold ourselves to, measured beside the peers they are compared with, in one run."""
