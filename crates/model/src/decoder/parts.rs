//! Several texts in one pass through the network, each with its own cache and its own number of new tokens.

use std::borrow::Cow;

use kernels::pool::Pool;

use super::{Decoder, KvCache, Rows};
use crate::Error;

/// What one text brings to a pass: its cache, the tokens that follow what the cache remembers, and which of them
/// logits are wanted for.
#[derive(Debug)]
pub struct Part<'a> {
    pub cache: &'a mut KvCache,
    pub tokens: Cow<'a, [u32]>,
    pub want: Rows,
}

impl Part<'_> {
    /// Rows of logits that are wanted.
    pub fn n_rows(&self) -> usize {
        match self.want {
            Rows::All => self.tokens.len(),
            Rows::Last => self.tokens.len().min(1),
            Rows::None => 0,
        }
    }
}

impl Decoder {
    /// Appends each part's tokens to its cache and leaves the wanted logits `[rows, vocab]`, part after part, in
    /// `logits`; what was in it is replaced.
    ///
    /// # Errors
    /// As [`Decoder::forward`]. Parts before the faulty one have been read then.
    pub fn forward_parts(
        &self,
        pool: &Pool,
        parts: &mut [Part<'_>],
        logits: &mut Vec<f32>,
    ) -> Result<(), Error> {
        logits.clear();
        let mut own = Vec::new();
        for part in parts {
            self.forward_into(pool, part.cache, &part.tokens, part.want, &mut own)?;
            logits.extend_from_slice(&own);
        }
        Ok(())
    }
}
