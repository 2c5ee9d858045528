"""The audit: do the numbers that a text states agree with each other, and with what is known of matter and light?

`kinds` has the vocabulary, `said` reads statements, `relations` and the `rules_*` files hold what is checked, `check`
puts them together.
"""
