"""A chat: the answer of a model appears word by word."""
