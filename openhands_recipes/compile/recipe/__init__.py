"""A recipe from text to a composed, faultless value."""
