//! SentencePiece BPE (Llama 2, Mistral, Gemma): the whole text is one word, spaces are written `▁`, and
//! neighbours are joined in order of their score for as long as the two together are a piece.
//!
//! What no piece covers is written as its UTF-8 bytes, `<0xE6><0xBC><0xA2>`, when the vocabulary has them,
//! and as the unknown token otherwise.

use super::merge::{self, Join, NO_TOKEN};
use super::pieces::Pieces;
use super::vocabulary::TokenType;
use crate::Error;

/// Stands for a space in pieces: U+2581.
pub(super) const SPACE: char = '▁';

#[derive(Debug)]
pub(super) struct SentencePiece {
    /// Per id: place in the order of joining, or [`NO_TOKEN`] for tokens that text never becomes by joining.
    ranks: Vec<u32>,
    byte_ids: Option<Box<[u32; 256]>>,
    unknown: Option<u32>,
}

impl SentencePiece {
    pub(super) fn new(
        pieces: &Pieces,
        scores: &[f32],
        types: &[TokenType],
        unknown: Option<u32>,
    ) -> Result<Self, Error> {
        if scores.len() != pieces.len() {
            let (n, m) = (scores.len(), pieces.len());
            return Err(Error::Vocabulary(format!("{n} scores for {m} tokens")));
        }
        let mut byte_ids = Box::new([NO_TOKEN; 256]);
        for (byte, slot) in byte_ids.iter_mut().enumerate() {
            *slot = pieces.id(&format!("<0x{byte:02X}>")).unwrap_or(NO_TOKEN);
        }
        let byte_ids = (!byte_ids.contains(&NO_TOKEN)).then_some(byte_ids);
        if byte_ids.is_none() && unknown.is_none() {
            let reason = "neither byte tokens nor an unknown token: some text could not be encoded";
            return Err(Error::Vocabulary(reason.to_string()));
        }
        Ok(Self { ranks: ranks(scores, types), byte_ids, unknown })
    }

    /// `text` has its spaces already written as `▁`.
    pub(super) fn encode(&self, ids: &mut Vec<u32>, pieces: &Pieces, text: &str) {
        let lookup = |piece: &str| {
            let id = pieces.id(piece)?;
            let rank = self.ranks[id as usize];
            (rank != NO_TOKEN).then_some(Join { rank, id })
        };
        let units = text.char_indices().map(|(at, c)| {
            let piece = &text[at..at + c.len_utf8()];
            (at as u32, c.len_utf8() as u32, lookup(piece).map_or(NO_TOKEN, |found| found.id))
        });
        let mut symbols = merge::symbols(units);
        merge::merge(&mut symbols, |l, r| {
            lookup(&text[l.start as usize..(r.start + r.len) as usize])
        });
        let mut last_was_unknown = false;
        for symbol in symbols.iter().filter(|s| s.len > 0) {
            let unknown = symbol.id == NO_TOKEN;
            match (&self.byte_ids, self.unknown) {
                _ if !unknown => ids.push(symbol.id),
                (Some(byte_ids), _) => {
                    let bytes = &text.as_bytes()
                        [symbol.start as usize..(symbol.start + symbol.len) as usize];
                    ids.extend(bytes.iter().map(|&byte| byte_ids[byte as usize]));
                }
                // A run of unknown characters is one unknown token.
                (None, Some(id)) if !last_was_unknown => ids.push(id),
                (None, _) => {}
            }
            last_was_unknown = unknown;
        }
    }
}

/// Dense ranks: 0 for the highest score; equal scores share a rank, so the leftmost of them goes first.
fn ranks(scores: &[f32], types: &[TokenType]) -> Vec<u32> {
    let mut order: Vec<u32> = (0..scores.len() as u32).collect();
    order.sort_by(|&a, &b| scores[b as usize].total_cmp(&scores[a as usize]));
    let mut ranks = vec![NO_TOKEN; scores.len()];
    let mut rank = 0;
    for (i, &id) in order.iter().enumerate() {
        if i > 0 && scores[id as usize] != scores[order[i - 1] as usize] {
            rank += 1;
        }
        let joined = matches!(
            types.get(id as usize).copied().unwrap_or_default(),
            TokenType::Normal | TokenType::UserDefined
        );
        if joined {
            ranks[id as usize] = rank;
        }
    }
    ranks
}
