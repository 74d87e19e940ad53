//! What the network computed for earlier requests, kept for those that begin alike.
//!
//! A conversation that goes on takes its own cache back; a request that shares only a beginning (a system
//! prompt, the same tools) gets a copy of that much. The least recently used go when memory is short.

use model::decoder::KvCache;

/// A common beginning shorter than this is computed again rather than copied.
const WORTH_COPYING: usize = 16;

#[derive(Debug)]
pub(super) struct Prefixes {
    kept: Vec<Kept>,
    budget_tokens: usize,
    clock: u64,
}

#[derive(Debug)]
struct Kept {
    tokens: Vec<u32>,
    cache: KvCache,
    used: u64,
}

impl Prefixes {
    /// Keeps caches of at most `budget_tokens` positions together.
    pub(super) fn new(budget_tokens: usize) -> Self {
        Self { kept: Vec::new(), budget_tokens, clock: 0 }
    }

    /// A cache that holds the longest known beginning of `prompt`, without its last token, and how long that is.
    pub(super) fn take(&mut self, prompt: &[u32]) -> Option<(KvCache, usize)> {
        let common = |kept: &Kept| common_len(&kept.tokens, prompt).min(prompt.len() - 1);
        let (place, len) = self
            .kept
            .iter()
            .enumerate()
            .map(|(place, kept)| (place, common(kept)))
            .max_by_key(|&(_, len)| len)
            .filter(|&(_, len)| len >= WORTH_COPYING)?;
        self.clock += 1;
        let kept = &mut self.kept[place];
        kept.used = self.clock;
        // What would be lost by taking it is little: the same conversation goes on.
        if kept.tokens.len() - len <= len / 4 {
            let mut cache = self.kept.swap_remove(place).cache;
            cache.truncate(len);
            return Some((cache, len));
        }
        Some((kept.cache.copy(len), len))
    }

    /// Keeps a cache that holds `tokens`.
    pub(super) fn put(&mut self, tokens: &[u32], cache: KvCache) {
        if tokens.len() < WORTH_COPYING || tokens.len() > self.budget_tokens {
            return;
        }
        self.kept.retain(|kept| !tokens.starts_with(&kept.tokens));
        self.clock += 1;
        self.kept.push(Kept { tokens: tokens.to_vec(), cache, used: self.clock });
        while self.n_tokens() > self.budget_tokens {
            let oldest = self.kept.iter().enumerate().min_by_key(|(_, kept)| kept.used);
            let Some((place, _)) = oldest else { break };
            self.kept.swap_remove(place);
        }
    }

    fn n_tokens(&self) -> usize {
        self.kept.iter().map(|kept| kept.tokens.len()).sum()
    }
}

fn common_len(a: &[u32], b: &[u32]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}
