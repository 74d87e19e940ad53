//! A vocabulary as plain data: what a model file says about its tokenizer, whatever the file's format.

/// Everything needed to build a [`Tokenizer`](super::Tokenizer). Token ids are indices into `tokens`.
///
/// Fields that a family does not use are left empty; [`Vocabulary::default`] has all of them empty.
#[derive(Debug, Clone, Default)]
pub struct Vocabulary {
    /// The algorithm.
    pub kind: VocabularyKind,
    /// The pieces as the file writes them: `Ġthe`, `▁the`, `##ing`, `<0x0A>`.
    pub tokens: Vec<String>,
    /// One score per token (SentencePiece families): merge priority for BPE, log-probability for Unigram.
    pub scores: Vec<f32>,
    /// One type per token; empty means all [`TokenType::Normal`].
    pub types: Vec<TokenType>,
    /// Merge rules of byte-level BPE, most important first: `Ġ t`.
    pub merges: Vec<String>,
    /// Ids with a role.
    pub roles: Roles,
    /// Start an encoded text with `roles.bos` (`roles.cls` for WordPiece).
    pub add_bos: bool,
    /// End an encoded text with `roles.eos` (`roles.sep` for WordPiece).
    pub add_eos: bool,
    /// SentencePiece: text is encoded as if a space stood before it.
    pub add_space_prefix: bool,
    /// WordPiece: fold case and strip accents first, as "uncased" models do.
    pub lowercase: bool,
    /// Unigram: SentencePiece's compiled normalisation table, as in the file.
    pub charsmap: Option<Vec<u8>>,
    /// Unigram: the same table spelled out, one character to its replacement; used when `charsmap` is absent.
    pub replacements: Vec<(char, String)>,
    /// Unigram: white space at both ends of a text is dropped. (Runs of spaces are always made one.)
    pub trim_space: bool,
}

/// Which algorithm turns text into pieces.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum VocabularyKind {
    /// GPT-2's: a regular expression cuts words, merge rules join bytes within each. `pre` names the expression.
    ByteBpe {
        /// Name of the splitting rule as GGUF files give it: `smollm`, `llama-bpe`, `qwen2`, `gpt-2`…
        pre: String,
    },
    /// SentencePiece BPE (Llama 2, Gemma): join neighbours in order of score, bytes where nothing matches.
    #[default]
    SentencePieceBpe,
    /// SentencePiece Unigram (XLM-R, T5): the most probable segmentation.
    Unigram,
    /// BERT's: words, then the longest known prefix again and again.
    WordPiece,
}

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TokenType {
    /// Ordinary text.
    #[default]
    Normal,
    /// Stands for what no other piece covers.
    Unknown,
    /// Steers the model (`<|im_end|>`); never made from text that a person wrote.
    Control,
    /// Taken whole wherever it occurs in text, before the algorithm sees it.
    UserDefined,
    /// In the table but never produced.
    Unused,
    /// One byte, `<0x0A>`, for characters without a piece.
    Byte,
}

/// Ids of the tokens with a role, where the file names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Roles {
    /// Begin of text.
    pub bos: Option<u32>,
    /// End of text (or of the assistant's turn).
    pub eos: Option<u32>,
    /// Unknown piece.
    pub unk: Option<u32>,
    /// Separator (BERT's `[SEP]`).
    pub sep: Option<u32>,
    /// Padding.
    pub pad: Option<u32>,
    /// Class token (BERT's `[CLS]`).
    pub cls: Option<u32>,
    /// Mask.
    pub mask: Option<u32>,
}
