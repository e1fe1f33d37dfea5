"""Steps towards the world: pure functions, words in, words out."""
