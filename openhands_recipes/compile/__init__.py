"""Steps towards an image: pure functions, words in, words out."""
