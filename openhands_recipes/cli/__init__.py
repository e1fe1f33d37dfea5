"""Face: parse the line, call one flow, print."""
