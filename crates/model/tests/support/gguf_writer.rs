//! Writes small GGUF files, right ones and wrong ones.

/// A file in the making: nothing is checked.
pub(crate) struct Writer {
    version: u32,
    n_keys: u64,
    keys: Vec<u8>,
    n_tensors: u64,
    directory: Vec<u8>,
    data: Vec<u8>,
}

impl Writer {
    pub(crate) fn new(version: u32) -> Self {
        Self { version, n_keys: 0, keys: vec![], n_tensors: 0, directory: vec![], data: vec![] }
    }

    /// A key with a value type's code and the value's bytes.
    pub(crate) fn key(&mut self, key: &str, kind: u32, value: &[u8]) {
        self.n_keys += 1;
        self.keys.extend(string(key));
        self.keys.extend(kind.to_le_bytes());
        self.keys.extend(value);
    }

    pub(crate) fn text(&mut self, key: &str, text: &str) {
        self.key(key, 8, &string(text));
    }

    pub(crate) fn number(&mut self, key: &str, value: u32) {
        self.key(key, 4, &value.to_le_bytes());
    }

    pub(crate) fn float(&mut self, key: &str, value: f32) {
        self.key(key, 6, &value.to_le_bytes());
    }

    pub(crate) fn array(&mut self, key: &str, kind: u32, elements: &[u8], len: u64) {
        self.key(key, 9, &[&kind.to_le_bytes()[..], &len.to_le_bytes(), elements].concat());
    }

    pub(crate) fn texts(&mut self, key: &str, texts: &[&str]) {
        let elements: Vec<u8> = texts.iter().flat_map(|text| string(text)).collect();
        self.array(key, 8, &elements, texts.len() as u64);
    }

    /// A directory entry; `shape` is innermost first, as the file has it.
    pub(crate) fn tensor(&mut self, name: &str, shape: &[u64], kind: u32, offset: u64) {
        self.n_tensors += 1;
        self.directory.extend(string(name));
        self.directory.extend((shape.len() as u32).to_le_bytes());
        self.directory.extend(shape.iter().flat_map(|size| size.to_le_bytes()));
        self.directory.extend(kind.to_le_bytes());
        self.directory.extend(offset.to_le_bytes());
    }

    pub(crate) fn data(&mut self, bytes: &[u8]) {
        self.data.extend(bytes);
    }

    /// An f32 tensor and its data, `shape` outermost first.
    pub(crate) fn f32_tensor(&mut self, name: &str, shape: &[usize], values: &[f32]) {
        let shape: Vec<u64> = shape.iter().rev().map(|&size| size as u64).collect();
        self.tensor(name, &shape, 0, self.data.len() as u64);
        self.data.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        self.data.resize(self.data.len().next_multiple_of(32), 0);
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        let mut bytes = b"GGUF".to_vec();
        bytes.extend(self.version.to_le_bytes());
        bytes.extend(self.n_tensors.to_le_bytes());
        bytes.extend(self.n_keys.to_le_bytes());
        bytes.extend(self.keys);
        bytes.extend(self.directory);
        bytes.resize(bytes.len().next_multiple_of(32), 0);
        bytes.extend(self.data);
        bytes
    }
}

/// A small file with values of many kinds and two tensors.
pub(crate) fn sample() -> Vec<u8> {
    let mut writer = Writer::new(3);
    writer.text("general.architecture", "llama");
    writer.number("general.alignment", 32);
    writer.number("llama.block_count", 1);
    writer.number("llama.embedding_length", 32);
    writer.number("llama.attention.head_count", 4);
    writer.number("llama.feed_forward_length", 64);
    writer.number("llama.context_length", 64);
    writer.number("llama.vocab_size", 3);
    writer.float("llama.rope.freq_base", 10_000.0);
    writer.texts("tokenizer.ggml.tokens", &["<s>", "</s>", "ü"]);
    writer.array("tokenizer.ggml.scores", 6, &[0; 12], 3);
    writer.array(
        "nested",
        9,
        &[&0_u32.to_le_bytes()[..], &2_u64.to_le_bytes(), &[1, 2]].concat(),
        1,
    );
    writer.tensor("weight", &[32, 3], 8, 0);
    writer.tensor("gain", &[5], 0, 128);
    writer.data(&[7; 3 * 34]);
    writer.data(&[0; 128 - 3 * 34]);
    writer.data(&[9; 5 * 4]);
    writer.finish()
}

fn string(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat()
}
