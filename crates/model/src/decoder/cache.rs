//! What a decoder remembers of the tokens it has seen.
//!
//! ```text
//! cache of one text    page ─ page ─ page ─ page        64 positions of all layers each
//! another's                    └──── page ─ page        shares the two it begins with
//! ```
//! A page that several caches share is not written to: who adds positions to a shared last page gets a copy of it first.

use std::collections::TryReserveError;
use std::sync::Arc;

use half::f16;
use kernels::attention::{self, Block, BlockMut, KEY_BLOCK, Stored};
use kernels::pool::Pool;

use crate::Error;
use crate::config::DecoderConfig;

/// Positions of a page.
pub const PAGE_TOKENS: usize = KEY_BLOCK;

/// Keys and values of every layer for the positions seen so far: as f32, or as half floats for a decoder that
/// computes in [`super::Precision::Fast`] from quantised weights. The first tokens decide; a cache that
/// remembers something stays what it is.
///
/// Memory grows with the number of positions, up to the capacity; see [`KvCache::bytes_per_token`].
#[derive(Debug)]
pub struct KvCache {
    /// Pages for `len` positions, or for some more.
    pages: Pages,
    len: usize,
    capacity: usize,
    n_layers: usize,
    /// Values of one position in one layer's keys.
    width: usize,
}

#[derive(Clone, Debug)]
enum Pages {
    Full(Vec<Arc<Values<f32>>>),
    Half(Vec<Arc<Values<f16>>>),
}

/// [`PAGE_TOKENS`] positions of every layer, shared by the caches that hold it.
#[derive(Clone, Debug)]
pub struct Page(Shared);

#[derive(Clone, Debug)]
enum Shared {
    Full(Arc<Values<f32>>),
    Half(Arc<Values<f16>>),
}

/// Of each layer in turn a block of keys and one of values, [`PAGE_TOKENS`] · width numbers each.
#[derive(Clone, Debug)]
struct Values<E> {
    keys: Vec<E>,
    values: Vec<E>,
}

/// One layer's part of the pages.
pub(super) enum Layer<'a> {
    Full(Vec<Block<'a, f32>>),
    Half(Vec<Block<'a, f16>>),
}

fn room<E>(len: usize) -> Result<Vec<E>, TryReserveError> {
    let mut room = Vec::new();
    room.try_reserve_exact(len)?;
    Ok(room)
}

impl<E: Stored> Values<E> {
    fn new(len: usize) -> Result<Self, TryReserveError> {
        let (mut keys, mut values) = (room(len)?, room(len)?);
        keys.resize(len, E::ZERO);
        values.resize(len, E::ZERO);
        Ok(Self { keys, values })
    }

    fn copy(&self) -> Result<Self, TryReserveError> {
        let (mut keys, mut values) = (room(self.keys.len())?, room(self.values.len())?);
        keys.extend_from_slice(&self.keys);
        values.extend_from_slice(&self.values);
        Ok(Self { keys, values })
    }

    fn layer(&self, layer_idx: usize, len: usize) -> Block<'_, E> {
        let part = layer_idx * len..(layer_idx + 1) * len;
        Block { keys: &self.keys[part.clone()], values: &self.values[part] }
    }

    fn layer_mut(&mut self, layer_idx: usize, len: usize) -> BlockMut<'_, E> {
        let part = layer_idx * len..(layer_idx + 1) * len;
        BlockMut { keys: &mut self.keys[part.clone()], values: &mut self.values[part] }
    }
}

/// `n_pages` pages of `len` numbers, of which those from `first` on are nobody else's.
fn make_room<E: Stored>(
    pages: &mut Vec<Arc<Values<E>>>,
    first: usize,
    n_pages: usize,
    len: usize,
) -> Result<(), TryReserveError> {
    for page in pages.iter_mut().take(n_pages).skip(first) {
        if Arc::get_mut(page).is_none() {
            *page = Arc::new(page.copy()?);
        }
    }
    pages.try_reserve(n_pages.saturating_sub(pages.len()))?;
    while pages.len() < n_pages {
        pages.push(Arc::new(Values::new(len)?));
    }
    Ok(())
}

/// Where new positions go, and how long a layer's block is.
struct Place {
    layer_idx: usize,
    first: usize,
    width: usize,
}

/// Writes keys and values [n, width] into pages that are nobody else's; all that the layer then remembers.
fn append<'a, E: Stored>(
    pool: &Pool,
    pages: &'a mut [Arc<Values<E>>],
    at: &Place,
    keys: &[f32],
    values: &[f32],
) -> Vec<Block<'a, E>> {
    let Place { layer_idx, first, width } = *at;
    let len = PAGE_TOKENS * width;
    let n_pages = (first + keys.len() / width).div_ceil(PAGE_TOKENS);
    let pages = &mut pages[..n_pages];
    let mut blocks: Vec<_> = pages[first / PAGE_TOKENS..]
        .iter_mut()
        .map(|page| Arc::make_mut(page).layer_mut(layer_idx, len))
        .collect();
    attention::put(pool, &mut blocks, first % PAGE_TOKENS, keys, values, width);
    pages.iter().map(|page| page.layer(layer_idx, len)).collect()
}

impl Pages {
    fn truncate(&mut self, n_pages: usize) {
        match self {
            Self::Full(pages) => pages.truncate(n_pages),
            Self::Half(pages) => pages.truncate(n_pages),
        }
    }
}

impl KvCache {
    /// An empty cache for at most `capacity` positions, whatever the model's context length.
    pub fn new(config: &DecoderConfig, capacity: usize) -> Self {
        let (n_layers, width) = (config.n_layers(), config.kv_width());
        Self { pages: Pages::Full(Vec::new()), len: 0, capacity, n_layers, width }
    }

    /// A cache that remembers the first `len` positions of `pages`, which caches of the same model gave.
    ///
    /// # Panics
    /// When there are not so many positions, or `capacity` is less, or some pages hold f32 and others half floats.
    pub fn with_pages(config: &DecoderConfig, capacity: usize, pages: &[Page], len: usize) -> Self {
        let n_pages = len.div_ceil(PAGE_TOKENS);
        assert!(len <= capacity && n_pages <= pages.len(), "{len} positions have no place");
        let mut cache = Self::new(config, capacity);
        cache.len = len;
        for Page(page) in &pages[..n_pages] {
            match (&mut cache.pages, page) {
                (Pages::Full(all), Shared::Full(page)) => all.push(Arc::clone(page)),
                (Pages::Half(all), Shared::Half(page)) => all.push(Arc::clone(page)),
                (Pages::Full(all), Shared::Half(page)) if all.is_empty() => {
                    cache.pages = Pages::Half(vec![Arc::clone(page)]);
                }
                _ => panic!("pages of different kinds"),
            }
        }
        cache
    }

    /// The pages of all positions, to be shared; the last may be filled in part.
    pub fn pages(&self) -> Vec<Page> {
        let n_pages = self.len.div_ceil(PAGE_TOKENS);
        match &self.pages {
            Pages::Full(all) => {
                all[..n_pages].iter().map(|page| Page(Shared::Full(Arc::clone(page)))).collect()
            }
            Pages::Half(all) => {
                all[..n_pages].iter().map(|page| Page(Shared::Half(Arc::clone(page)))).collect()
            }
        }
    }

    /// Positions remembered.
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Positions there is room for.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Forgets all positions from `len` on; does nothing if there are fewer.
    pub fn truncate(&mut self, len: usize) {
        if len >= self.len {
            return;
        }
        // A page more than needed stays: what was guessed wrongly comes again.
        self.pages.truncate(len.div_ceil(PAGE_TOKENS) + 1);
        self.len = len;
    }

    /// A cache that goes its own way after the first `len` positions.
    pub fn share(&self, len: usize) -> Self {
        let len = len.min(self.len);
        let mut pages = self.pages.clone();
        pages.truncate(len.div_ceil(PAGE_TOKENS));
        Self { pages, len, ..*self }
    }

    /// Memory that each remembered position takes at most; half of it where half floats are kept. Pages are taken
    /// whole.
    pub fn bytes_per_token(config: &DecoderConfig) -> usize {
        config.n_layers() * 2 * config.kv_width() * size_of::<f32>()
    }

    /// Makes room for `n_tokens` more in every layer, so that nothing can fail half-way. An empty cache becomes
    /// one of half floats if `compact`, else one of f32.
    pub(super) fn reserve(
        &mut self,
        config: &DecoderConfig,
        n_tokens: usize,
        compact: bool,
    ) -> Result<(), Error> {
        let fits = (self.n_layers, self.width) == (config.n_layers(), config.kv_width());
        assert!(fits, "the cache belongs to another model");
        let needed = self.len.saturating_add(n_tokens);
        if needed > self.capacity {
            return Err(Error::Context { needed, capacity: self.capacity });
        }
        if n_tokens == 0 {
            return Ok(());
        }
        if self.len == 0 && compact != matches!(self.pages, Pages::Half(_)) {
            self.pages = if compact { Pages::Half(Vec::new()) } else { Pages::Full(Vec::new()) };
        }
        let (first, n_pages) = (self.len / PAGE_TOKENS, needed.div_ceil(PAGE_TOKENS));
        let page_len = self.n_layers * PAGE_TOKENS * self.width;
        let made = match &mut self.pages {
            Pages::Full(pages) => make_room(pages, first, n_pages, page_len),
            Pages::Half(pages) => make_room(pages, first, n_pages, page_len),
        };
        made.map_err(|_| Error::Memory {
            what: "key-value cache",
            bytes: n_tokens.saturating_mul(Self::bytes_per_token(config)),
        })
    }

    /// Appends new positions, for which room was made, to a layer; returns all that it remembers.
    pub(super) fn append(
        &mut self,
        pool: &Pool,
        layer_idx: usize,
        keys: &[f32],
        values: &[f32],
    ) -> Layer<'_> {
        let at = Place { layer_idx, first: self.len, width: self.width };
        match &mut self.pages {
            Pages::Full(pages) => Layer::Full(append(pool, pages, &at, keys, values)),
            Pages::Half(pages) => Layer::Half(append(pool, pages, &at, keys, values)),
        }
    }

    pub(super) fn advance(&mut self, n_tokens: usize) {
        self.len += n_tokens;
    }
}
