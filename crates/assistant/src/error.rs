//! What can keep a turn from being answered at all. Not finding an answer is no error: it is an abstention.

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Vault(#[from] vault::error::Error),

    #[error(
        "the model could not write: {0}; ask without --model for an answer in your sources' own words"
    )]
    Model(#[from] infer::Error),

    #[error(
        "cannot read questions from {path}: {cause}; each line must be one question as JSON, see examples/life/README.md"
    )]
    Questions { path: String, cause: String },
}
