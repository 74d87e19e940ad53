use std::path::PathBuf;

/// What can be wrong with a plan, in the words of the person who wrote it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read {path}: {source}")]
    Read { path: PathBuf, source: std::io::Error },
    /// `at` is `line 7, column 12` where the file is TOML and `line 7` where it is a table.
    #[error("{file}, {at}: {what}; {hint}")]
    Syntax { file: String, at: String, what: String, hint: String },
    #[error("{field} is {value}: {reason}; for example `{example}`")]
    Field { field: String, value: String, reason: String, example: String },
    #[error("no layout of {chips} {chip} chips holds this model: {reason}")]
    NoLayout { chips: u32, chip: String, reason: String },
    /// Nobody waits for the answer any more.
    #[error("the search was stopped")]
    Stopped,
    #[error("the model description: {0}")]
    Model(#[from] model::Error),
}

impl Error {
    pub(crate) fn field(field: &str, value: impl ToString, reason: &str, example: &str) -> Self {
        Self::Field {
            field: field.into(),
            value: value.to_string(),
            reason: reason.into(),
            example: example.into(),
        }
    }
}
