"""Recipes in the words of other tools, so that people can leave as easily as they come."""
