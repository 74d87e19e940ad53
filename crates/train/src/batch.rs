//! One micro-batch: texts one behind the other, what each position should predict, and what that counts.

/// Texts of a micro-batch, without padding.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Batch {
    /// Tokens of all texts.
    pub tokens: Vec<u32>,
    /// Text i is tokens `starts[i] .. starts[i + 1]`.
    pub starts: Vec<u32>,
    /// Place of each token in its text.
    pub positions: Vec<u32>,
    /// The token that should follow each; meaningless where it does not count.
    pub targets: Vec<u32>,
    /// Whether predicting what follows counts in the loss.
    pub counted: Vec<bool>,
}

impl Batch {
    /// A batch with no texts yet.
    pub fn new() -> Self {
        Self { starts: vec![0], ..Self::default() }
    }

    /// Adds one text. Its last token predicts nothing, and the first is predicted by nothing; `counted` says for each
    /// token whether predicting *it* counts.
    pub fn push(&mut self, text: &[u32], counted: Option<&[bool]>) {
        if text.is_empty() {
            return;
        }
        self.tokens.extend_from_slice(text);
        self.positions.extend(0..text.len() as u32);
        self.targets.extend_from_slice(&text[1..]);
        self.targets.push(0);
        match counted {
            None => self.counted.extend(std::iter::repeat_n(true, text.len() - 1)),
            Some(counted) => self.counted.extend_from_slice(&counted[1..text.len()]),
        }
        self.counted.push(false);
        self.starts.push(self.tokens.len() as u32);
    }

    /// Tokens, all of them.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// Predictions that count.
    pub fn n_counted(&self) -> usize {
        self.counted.iter().filter(|&&counted| counted).count()
    }

    /// Lengths of the texts.
    pub fn lengths(&self) -> Vec<u64> {
        self.starts.windows(2).map(|pair| u64::from(pair[1] - pair[0])).collect()
    }
}
