//! Text as data: tokenizers and chat templates, read from the files' own metadata.
