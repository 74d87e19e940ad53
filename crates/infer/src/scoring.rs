//! How probable many given texts are, at once.
//!
//! The texts are sorted, so that those that begin alike stand together, and a run of them becomes a tree in which every
//! common beginning is one edge:
//!
//! ```text
//! Q: Is ice cold? A:──┬── yes          each edge is read once, on a copy of its parent's cache;
//!                     └── no           edges of all texts of a batch are read together
//! ```
//!
//! Logits are asked for only where a token is to be scored. A text's score has the same bits whatever it is scored with:
//! that is what [`Decoder::forward_parts`](model::decoder::Decoder::forward_parts) promises for each part.

use crate::generation::Score;
use crate::{Engine, Error};
use kernels::softmax::log_softmax;
use model::decoder::{KvCache, Part, Rows};
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// Tokens read in one pass: as many as the decoder takes through its layers together.
const STEP_TOKENS: usize = 512;
/// Memory for the logits of one pass, in bytes.
const LOGITS_BYTES: usize = 64 << 20;
/// Memory for the caches of one batch, in bytes: the texts of a batch fit into it without sharing anything.
const CACHE_BYTES: usize = 512 << 20;
/// A beginning common with the batch before is copied from this many tokens on.
const WORTH_COPYING: usize = 16;

/// A text of which the tokens from `n_context` on are scored, each given all before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScoredText {
    /// Context and continuation.
    pub tokens: Vec<u32>,
    /// How many of them are context; at least one.
    pub n_context: usize,
}

/// What scoring took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ScoringCounts {
    /// Tokens of the texts, without the last of each, which is predicted but not read.
    pub text_tokens: u64,
    /// Of these, tokens that went through the network: common beginnings count once.
    pub read_tokens: u64,
}

/// Scores `texts`; the scores stand in their order. `on_progress` hears how many texts are done.
///
/// # Errors
/// A text without context or longer than the model's context, an unknown token, or logits that are not numbers.
pub fn score_texts(
    engine: &Engine,
    texts: &[ScoredText],
    on_progress: &mut dyn FnMut(usize),
) -> Result<(Vec<Score>, ScoringCounts), Error> {
    let limit = engine.context_len();
    let mut counts = ScoringCounts::default();
    let mut order = Vec::with_capacity(texts.len());
    for (idx, text) in texts.iter().enumerate() {
        if text.n_context == 0 {
            return Err(Error::EmptyPrompt);
        }
        if text.tokens.len() > limit + 1 {
            return Err(Error::ContextFull { needed: text.tokens.len() - 1, limit });
        }
        if text.n_context < text.tokens.len() {
            order.push(idx);
            counts.text_tokens += text.tokens.len() as u64 - 1;
        }
    }
    order.sort_by(|&a, &b| input(&texts[a]).cmp(input(&texts[b])));
    let bytes_per_token = KvCache::bytes_per_token(engine.config()).max(1);
    let scores = texts.iter().map(|text| Score {
        logprob: 0.0,
        tokens: text.tokens.len().saturating_sub(text.n_context),
        greedy: true,
    });
    let mut scoring = Scoring {
        engine,
        texts,
        scores: scores.collect(),
        kept: None,
        logits: Vec::new(),
        read_tokens: 0,
    };
    let mut done = texts.len() - order.len();
    let mut rest = order.as_slice();
    while !rest.is_empty() {
        let mut budget = CACHE_BYTES / bytes_per_token;
        let fits = |&&idx: &&usize| match budget.checked_sub(texts[idx].tokens.len()) {
            Some(left) => {
                budget = left;
                true
            }
            None => false,
        };
        let n = rest.iter().take_while(fits).count().max(1);
        let (batch, after) = rest.split_at(n);
        scoring.run(batch)?;
        rest = after;
        done += n;
        on_progress(done);
    }
    counts.read_tokens = scoring.read_tokens;
    Ok((scoring.scores, counts))
}

/// What is read of a text: its last token is only predicted.
fn input(text: &ScoredText) -> &[u32] {
    &text.tokens[..text.tokens.len() - 1]
}

fn common_len(a: &[u32], b: &[u32]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

struct Scoring<'a> {
    engine: &'a Engine,
    texts: &'a [ScoredText],
    scores: Vec<Score>,
    /// The last text read, for the next batch to begin with.
    kept: Option<(Vec<u32>, KvCache)>,
    logits: Vec<f32>,
    read_tokens: u64,
}

/// An edge of the tree: tokens `start..end` of each of the texts `members` of the batch.
#[derive(Debug)]
struct Edge {
    members: Range<usize>,
    start: usize,
    end: usize,
    /// First position whose logits one of the members wants.
    wanted_from: usize,
    children: Vec<usize>,
}

/// An edge being read: `at` is what the cache holds.
struct Active {
    edge: usize,
    cache: KvCache,
    at: usize,
}

/// What a pass reads of an edge.
struct Piece {
    tokens: Range<usize>,
    want: Rows,
}

impl Scoring<'_> {
    fn run(&mut self, batch: &[usize]) -> Result<(), Error> {
        let edges = tree(self.texts, batch);
        let mut active = VecDeque::from([self.root(&edges[0], batch)]);
        while !active.is_empty() {
            let n_read = self.pass(&edges, batch, &mut active)?;
            for mut one in active.drain(..n_read).collect::<Vec<_>>() {
                let edge = &edges[one.edge];
                if one.at < edge.end {
                    active.push_back(one);
                    continue;
                }
                if let Some((&last, others)) = edge.children.split_last() {
                    for &child in others {
                        let cache = one.cache.share(one.at);
                        active.push_back(Active { edge: child, cache, at: one.at });
                    }
                    one.edge = last;
                    active.push_back(one);
                } else if edge.members.end == batch.len() {
                    let tokens = input(&self.texts[batch[batch.len() - 1]]).to_vec();
                    self.kept = Some((tokens, one.cache));
                }
            }
        }
        Ok(())
    }

    /// The root with what is remembered of its tokens. What is to be scored is always read again.
    fn root(&mut self, root: &Edge, batch: &[usize]) -> Active {
        let tokens = &input(&self.texts[batch[0]])[..root.end.min(root.wanted_from)];
        let kept = self.kept.take().map(|(kept, cache)| (common_len(&kept, tokens), cache));
        match kept.filter(|(common, _)| *common >= WORTH_COPYING) {
            Some((common, mut cache)) => {
                cache.truncate(common);
                Active { edge: 0, cache, at: common }
            }
            None => {
                let cache = KvCache::new(self.engine.config(), self.engine.context_len());
                Active { edge: 0, cache, at: 0 }
            }
        }
    }

    /// Reads the next pieces of the first edges in the line; returns how many edges it came past.
    fn pass(
        &mut self,
        edges: &[Edge],
        batch: &[usize],
        active: &mut VecDeque<Active>,
    ) -> Result<usize, Error> {
        let vocab = self.engine.vocab();
        let mut tokens_left = STEP_TOKENS;
        let mut rows_left = (LOGITS_BYTES / (vocab * size_of::<f32>())).max(8);
        let (mut pieces, mut parts, mut n_seen) = (Vec::new(), Vec::new(), 0);
        for one in active.iter_mut() {
            if tokens_left == 0 || rows_left == 0 {
                break;
            }
            n_seen += 1;
            let edge = &edges[one.edge];
            if one.at == edge.end {
                // A root that the texts do not share, or one that is remembered whole.
                continue;
            }
            let piece = piece(edge, one.at, tokens_left, rows_left);
            let tokens = &self.texts[batch[edge.members.start]].tokens[piece.tokens.clone()];
            let part = Part { cache: &mut one.cache, tokens: tokens.into(), want: piece.want };
            tokens_left -= tokens.len();
            rows_left -= part.n_rows();
            one.at = piece.tokens.end;
            parts.push(part);
            pieces.push((one.edge, piece));
        }
        if parts.is_empty() {
            return Ok(n_seen);
        }
        let Self { engine, logits, .. } = self;
        engine.decoder().forward_parts(engine.pool(), &mut parts, logits)?;
        self.read_tokens += (STEP_TOKENS - tokens_left) as u64;
        let best = log_probabilities(engine, logits);
        let mut rows = logits.chunks_exact(vocab).zip(best);
        for (edge, piece) in &pieces {
            let positions = match piece.want {
                Rows::All => piece.tokens.clone(),
                Rows::Last => piece.tokens.end - 1..piece.tokens.end,
                Rows::None => 0..0,
            };
            for (position, (row, best)) in positions.zip(&mut rows) {
                for &idx in &batch[edges[*edge].members.clone()] {
                    let text = &self.texts[idx];
                    if position + 1 < text.n_context {
                        continue;
                    }
                    let target = text.tokens[position + 1];
                    let logprob = row.get(target as usize).copied();
                    let logprob = logprob.ok_or(model::Error::Token { token: target, vocab })?;
                    if logprob.is_nan() {
                        return Err(Error::NotFinite { position: position + 1 });
                    }
                    self.scores[idx].logprob += f64::from(logprob);
                    self.scores[idx].greedy &= best == target;
                }
            }
        }
        Ok(n_seen)
    }
}

/// The next piece of an edge: to the first position that is wanted and with only that one's logits, then all.
fn piece(edge: &Edge, at: usize, tokens_left: usize, rows_left: usize) -> Piece {
    if at <= edge.wanted_from {
        let stop = edge.end.min(edge.wanted_from + 1).min(at + tokens_left);
        let want = if stop > edge.wanted_from { Rows::Last } else { Rows::None };
        return Piece { tokens: at..stop, want };
    }
    Piece { tokens: at..edge.end.min(at + tokens_left.min(rows_left)), want: Rows::All }
}

/// The tree of a sorted run of texts; its root is the first edge and may be without tokens.
fn tree(texts: &[ScoredText], batch: &[usize]) -> Vec<Edge> {
    let mut edges: Vec<Edge> = Vec::new();
    let mut open = vec![(0..batch.len(), 0, None)];
    while let Some((members, start, parent)) = open.pop() {
        let inputs = |member: usize| input(&texts[batch[member]]);
        // In sorted order, what the first and the last have in common all have.
        let end = common_len(inputs(members.start), inputs(members.end - 1));
        let wanted = members.clone().map(|member| texts[batch[member]].n_context - 1);
        let edge_idx = edges.len();
        let mut first = members.start;
        while first < members.end && inputs(first).len() == end {
            first += 1;
        }
        while first < members.end {
            let same = |&member: &usize| inputs(member)[end] == inputs(first)[end];
            let next = first + (first..members.end).take_while(same).count();
            open.push((first..next, end, Some(edge_idx)));
            first = next;
        }
        if let Some(parent) = parent {
            let parent: &mut Edge = &mut edges[parent];
            parent.children.push(edge_idx);
        }
        let wanted_from = wanted.min().unwrap_or(0);
        edges.push(Edge { members, start, end, wanted_from, children: Vec::new() });
    }
    debug_assert!(edges.iter().all(|edge| edge.start <= edge.end));
    edges
}

/// Replaces each row of `logits` by its log-probabilities; returns each row's most probable token, the first of equals.
fn log_probabilities(engine: &Engine, logits: &mut [f32]) -> Vec<u32> {
    let vocab = engine.vocab();
    let rows: Vec<Mutex<(&mut [f32], u32)>> =
        logits.chunks_exact_mut(vocab).map(|row| Mutex::new((row, 0))).collect();
    engine.pool().run(rows.len(), |idx| {
        let mut row = rows[idx].lock().unwrap_or_else(PoisonError::into_inner);
        log_softmax(row.0, vocab);
        let highest = row.0.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        row.1 = row.0.iter().position(|&value| value == highest).unwrap_or(0) as u32;
    });
    rows.into_iter().map(|row| row.into_inner().unwrap_or_else(PoisonError::into_inner).1).collect()
}
