//! What the network computed for earlier requests, kept for those that begin alike: a radix tree of pages.
//!
//! ```text
//! root ─ "You are a helpful …" ─ "… tools: …" ─┬─ "What is the capital …"
//!          64 tokens, a page      64 tokens     └─ "Write a po"             the last page of a text, filled in part
//! ```
//! Conversations share the pages they have in common, in the tree and while they run ([`KvCache`]); nothing is
//! copied but the page in which two texts part, when the second goes its own way. The leaves that were used least
//! recently go when memory is short.

use std::collections::HashMap;

use model::config::DecoderConfig;
use model::decoder::{KvCache, PAGE_TOKENS, Page};

/// The node that stands for the empty text.
const ROOT: u64 = 0;

#[derive(Debug)]
pub(super) struct Prefixes {
    /// By number. Not one node inside the other: a long text would make a tree too deep for the stack.
    nodes: HashMap<u64, Node>,
    next_node: u64,
    most_pages: usize,
    clock: u64,
}

/// A page, after those of its parents.
#[derive(Debug)]
struct Node {
    /// None at the root.
    page: Option<Page>,
    /// The page's tokens: [`PAGE_TOKENS`], or fewer at the end of a text, and then nothing follows.
    tokens: Box<[u32]>,
    parent: u64,
    children: Vec<u64>,
    used: u64,
}

impl Prefixes {
    /// Keeps at most `budget_tokens` positions, in whole pages.
    pub(super) fn new(budget_tokens: usize) -> Self {
        let root = Node {
            page: None,
            tokens: Box::default(),
            parent: ROOT,
            children: Vec::new(),
            used: 0,
        };
        Self {
            nodes: HashMap::from([(ROOT, root)]),
            next_node: ROOT + 1,
            most_pages: budget_tokens / PAGE_TOKENS,
            clock: 0,
        }
    }

    /// A cache that holds the longest known beginning of `prompt` without its last token, if any is known.
    pub(super) fn take(
        &mut self,
        config: &DecoderConfig,
        capacity: usize,
        prompt: &[u32],
    ) -> Option<KvCache> {
        let (_, mut left) = prompt.split_last()?;
        let mut pages = Vec::new();
        let mut len = 0;
        let mut node = ROOT;
        self.clock += 1;
        loop {
            let children = self.nodes.get(&node)?.children.iter();
            let common = children.map(|id| (common_len(&self.nodes[id].tokens, left), *id));
            let Some((n, child)) = common.max() else { break };
            // Even a token costs more to compute than a page to copy.
            if n == 0 {
                break;
            }
            let found = self.nodes.get_mut(&child)?;
            found.used = self.clock;
            pages.extend(found.page.clone());
            len += n;
            left = &left[n..];
            node = child;
            if n < PAGE_TOKENS {
                break;
            }
        }
        (len > 0).then(|| KvCache::with_pages(config, capacity, &pages, len))
    }

    /// Keeps what `cache` remembers, the beginning of `tokens`.
    pub(super) fn put(&mut self, tokens: &[u32], cache: &KvCache) {
        self.clock += 1;
        let mut node = ROOT;
        let tokens = &tokens[..cache.len().min(tokens.len())];
        for (tokens, page) in tokens.chunks(PAGE_TOKENS).zip(cache.pages()) {
            let mut children = self.nodes[&node].children.iter().copied();
            // What begins with these tokens has them too.
            let known = children.find(|id| self.nodes[id].tokens.starts_with(tokens));
            node = known.unwrap_or_else(|| self.insert(node, tokens, page));
            if let Some(node) = self.nodes.get_mut(&node) {
                node.used = self.clock;
            }
        }
        while self.n_pages() > self.most_pages {
            let leaves = self.nodes.iter().filter(|(id, node)| **id != ROOT && node.is_leaf());
            let Some((&oldest, _)) = leaves.min_by_key(|(_, node)| node.used) else { break };
            self.remove(oldest);
        }
    }

    /// Pages kept.
    fn n_pages(&self) -> usize {
        self.nodes.len() - 1
    }

    fn insert(&mut self, parent: u64, tokens: &[u32], page: Page) -> u64 {
        // The beginning of a page is known through it from now on.
        let siblings = self.nodes[&parent].children.iter().copied();
        let shorter: Vec<u64> =
            siblings.filter(|id| tokens.starts_with(&self.nodes[id].tokens)).collect();
        shorter.into_iter().for_each(|id| self.remove(id));
        let id = self.next_node;
        self.next_node += 1;
        let node = Node {
            page: Some(page),
            tokens: tokens.into(),
            parent,
            children: Vec::new(),
            used: self.clock,
        };
        self.nodes.insert(id, node);
        if let Some(parent) = self.nodes.get_mut(&parent) {
            parent.children.push(id);
        }
        id
    }

    /// Removes a leaf.
    fn remove(&mut self, id: u64) {
        if let Some(node) = self.nodes.remove(&id)
            && let Some(parent) = self.nodes.get_mut(&node.parent)
        {
            parent.children.retain(|child| *child != id);
        }
    }
}

impl Node {
    fn is_leaf(&self) -> bool {
        self.children.is_empty()
    }
}

fn common_len(a: &[u32], b: &[u32]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}
