"""The sample life of Polymath: one invented person, her files, and questions about them.

Read in this order: `clock` and `facts` (the model), `people`, then one module per kind of file
(`mail`, `calendar`, `contacts`, `notes`, `documents`), and `questions`, which ask about all of it.
The words themselves live in `story/`, so that a writer need not read Python.
"""
