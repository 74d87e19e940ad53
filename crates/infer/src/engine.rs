//! A model ready to run: weights, tokenizer, chat template and threads. It never changes, so any number of
//! sessions share it.

use crate::companion;
use crate::form::{Form, Forms, Guide};
use crate::vocabulary::Text;
use crate::{Error, Info, Memory, inspect};
use corpus::chat::{ChatTemplate, Message, RenderOptions};
use corpus::tokenizer::{Special, Tokenizer};
use kernels::pool::Pool;
use model::config::DecoderConfig;
use model::decoder::{Decoder, Precision};
use model::gguf::Gguf;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// A loaded model. Cloning shares it.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
    /// A small model that guesses what this one will say.
    draft: Option<Arc<Shared>>,
}

struct Shared {
    name: String,
    path: PathBuf,
    decoder: Decoder,
    text: Text,
    pool: Pool,
    load_time: Duration,
    /// Made when the first answer of a given form is wanted.
    forms: OnceLock<Result<Forms, String>>,
}

impl Engine {
    /// Loads a GGUF file or a directory with `config.json` and safetensors, to run on `n_threads` threads with fast
    /// products.
    pub fn load(path: &Path, n_threads: usize) -> Result<Self, Error> {
        Self::load_with(path, n_threads, Precision::Fast)
    }

    /// The same with a choice between fast products and exact ones, for comparisons with other programs.
    pub fn load_with(path: &Path, n_threads: usize, precision: Precision) -> Result<Self, Error> {
        let start = Instant::now();
        let pool = Pool::new(n_threads);
        let decoder = Decoder::load_with(path, precision)?.interleaved(&pool);
        let text = match path.is_dir() {
            true => Text::from_directory(path)?,
            false => Text::from_gguf(&Gguf::open(path)?)?,
        };
        let shared = Shared {
            name: inspect::name_of(path),
            path: path.to_owned(),
            decoder,
            text,
            pool,
            load_time: start.elapsed(),
            forms: OnceLock::new(),
        };
        Ok(Self { shared: Arc::new(shared), draft: None })
    }

    /// The same model with a smaller one that guesses for it: answers stay what they are, to the token, and come in fewer
    /// steps. The draft model runs on this one's threads; its own, and a draft model of its own, are not used.
    ///
    /// # Errors
    /// [`Error::Draft`] if the two do not have the same tokens and the same end tokens, whatever they are called;
    /// [`Error::NoTokenizer`] if that cannot be told.
    pub fn with_draft(self, draft: Engine) -> Result<Self, Error> {
        companion::check(&self, &draft)?;
        Ok(Self { draft: Some(draft.shared), ..self })
    }

    /// The model that guesses for this one.
    pub fn draft(&self) -> Option<Engine> {
        let shared = Arc::clone(self.draft.as_ref()?);
        Some(Self { shared, draft: None })
    }

    /// Puts an engine together from parts: for models that were made, not read. Answers end at the
    /// tokenizer's end token.
    pub fn from_parts(
        name: &str,
        decoder: Decoder,
        tokenizer: Option<Tokenizer>,
        template: Option<ChatTemplate>,
        n_threads: usize,
    ) -> Self {
        let end = tokenizer.as_ref().and_then(Tokenizer::eos).into_iter().collect();
        let shared = Shared {
            name: name.to_string(),
            path: PathBuf::from(name),
            decoder,
            text: Text { tokenizer, template, end },
            pool: Pool::new(n_threads),
            load_time: Duration::ZERO,
            forms: OnceLock::new(),
        };
        Self { shared: Arc::new(shared), draft: None }
    }

    /// The model's name: the file's without its extension, or the directory's.
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// Where it was loaded from.
    pub fn path(&self) -> &Path {
        &self.shared.path
    }

    /// Tokens that the model was made to see at once.
    pub fn context_len(&self) -> usize {
        self.config().context_len
    }

    /// Number of logits per position.
    pub fn vocab(&self) -> usize {
        self.config().vocab
    }

    /// The description of the network.
    /// How many weights the model has, all experts included.
    pub fn parameters(&self) -> u64 {
        model::cost::parameters(self.config()).total
    }

    pub fn config(&self) -> &DecoderConfig {
        self.shared.decoder.config()
    }

    /// The tokenizer, or an error that says what is missing.
    pub fn tokenizer(&self) -> Result<&Tokenizer, Error> {
        let missing = || Error::NoTokenizer { path: self.shared.path.clone() };
        self.shared.text.tokenizer.as_ref().ok_or_else(missing)
    }

    /// The chat template, if the model has one.
    pub fn chat_template(&self) -> Option<&ChatTemplate> {
        self.shared.text.template.as_ref()
    }

    /// Tokens that end an answer.
    pub fn end_tokens(&self) -> &[u32] {
        &self.shared.text.end
    }

    /// The tokens of a plain text to continue. Names of control tokens in it are ordinary text.
    pub fn encode_text(&self, text: &str) -> Result<Vec<u32>, Error> {
        let tokenizer = self.tokenizer()?;
        let mut ids = tokenizer.encode(text, Special::Text, true);
        // A text to continue must not be closed; some tokenizers end every text.
        if tokenizer.n_added() > usize::from(tokenizer.adds_bos())
            && ids.len() > 1
            && ids.last().is_some_and(|id| self.end_tokens().contains(id))
        {
            ids.pop();
        }
        Ok(ids)
    }

    /// The tokens of a conversation. Names of control tokens inside messages are ordinary text.
    pub fn encode_chat(
        &self,
        messages: &[Message],
        options: &RenderOptions<'_>,
    ) -> Result<Vec<u32>, Error> {
        let path = || self.shared.path.clone();
        let template =
            self.chat_template().ok_or_else(|| Error::NoChatTemplate { path: path() })?;
        let tokens = template.encode(self.tokenizer()?, messages, options);
        tokens.map_err(|source| Error::Corpus { path: path(), source })
    }

    /// What `polymath model inspect` shows.
    pub fn info(&self) -> Result<Info, Error> {
        inspect::inspect(&self.shared.path)
    }

    /// What its weights ask of memory, without a draft model's, and what is there now.
    pub fn memory(&self) -> Memory {
        Memory::of(self.shared.decoder.demand())
    }

    /// How long loading took.
    pub fn load_time(&self) -> Duration {
        self.shared.load_time
    }

    /// Threads that the engine computes on.
    pub fn n_threads(&self) -> usize {
        self.shared.pool.n_threads()
    }

    /// What keeps an answer to a form.
    pub(crate) fn guide(&self, form: &Form) -> Result<Guide, Error> {
        let tokenizer = self.tokenizer()?;
        let forms = self.shared.forms.get_or_init(|| {
            Forms::new(tokenizer, self.vocab(), self.end_tokens()).map_err(|e| e.to_string())
        });
        forms.as_ref().map_err(|reason| Error::Form(reason.clone()))?.guide(form)
    }

    pub(crate) fn decoder(&self) -> &Decoder {
        &self.shared.decoder
    }

    pub(crate) fn pool(&self) -> &Pool {
        &self.shared.pool
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("name", &self.shared.name).finish_non_exhaustive()
    }
}
