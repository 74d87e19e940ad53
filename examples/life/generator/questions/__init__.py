"""Questions about the sample life, with answers and the words that prove them.

`model` says what a question is and how it is checked; the other modules ask: `facts` (one source),
`time` (dates to work out, calendar), `change` (what is true now, counts, sums), `hops` (two or more
kinds of files) and `refusals` (wrong premises and what no file says).
"""
