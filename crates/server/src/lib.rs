//! OpenAI-compatible HTTP, the web application and who may use them. No logic of its own.
