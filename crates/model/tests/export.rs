//! What is exported is the same model, in whole files or none.

mod support;

use std::path::{Path, PathBuf};

use kernels::pool::Pool;
use model::Error;
use model::decoder::{Decoder, KvCache, Rows, read};
use model::export::{Options, to_gguf, to_hugging_face};
use model::gguf::Gguf;
use model::quantise::Encoding;
use support::{argmax, golden, log_softmax};

/// Models that both formats can say.
const BOTH: [&str; 8] = [
    "llama-tiny",
    "gemma2-tiny",
    "qwen2-yarn-tiny",
    "qwen3-tiny",
    "mixtral-tiny",
    "olmoe-tiny",
    "falcon-tiny",
    "falcon-new-tiny",
];

/// Models whose layers follow no period, or mix dense layers among experts.
const FOLDER_ONLY: [&str; 2] = ["gemma3-tiny", "qwen3-moe-tiny"];

fn export(from: &Path, to: &Path, encoding: Option<Encoding>) -> Result<(), Error> {
    let (config, weights) = read(from)?;
    let mut silent = |_: u64, _: u64, _: &str| {};
    let mut options = Options { encoding, n_threads: 2, on_progress: &mut silent };
    match to.extension() {
        Some(_) => to_gguf(to, &config, &weights, "tiny", vec![], &mut options).map(|_| ()),
        None => {
            let more = serde_json::Map::new();
            to_hugging_face(to, &config, &weights, more, &[], &mut options).map(|_| ())
        }
    }
}

fn logits(path: &Path) -> Vec<f32> {
    let decoder = Decoder::load(path).unwrap();
    let tokens: Vec<u32> = (0..40).map(|i| i * 37 % 128).collect();
    let mut cache = KvCache::new(decoder.config(), tokens.len());
    decoder.forward(&Pool::new(1), &mut cache, &tokens, Rows::All).unwrap()
}

/// Largest difference of log-probabilities.
fn distance(a: &Path, b: &Path) -> f64 {
    let rows = |path| -> Vec<Vec<f64>> { logits(path).chunks(128).map(log_softmax).collect() };
    let pairs = rows(a).concat().into_iter().zip(rows(b).concat());
    pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

fn folder() -> (tempfile::TempDir, impl Fn(&str) -> PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    (folder, move |name: &str| path.join(name))
}

#[test]
fn a_model_that_went_to_gguf_and_back_is_the_same_model() {
    let (_folder, at) = folder();
    for name in BOTH {
        let (gguf, back) = (at(&format!("{name}.gguf")), at(&format!("{name}-back")));
        export(&golden(name), &gguf, None).unwrap();
        export(&gguf, &back, None).unwrap();
        // Another order of rows, or frequencies from a table, move the last digits.
        let (there, here) = (distance(&golden(name), &gguf), distance(&golden(name), &back));
        assert!(there < 3e-5 && here < 3e-5, "{name}: {there} in GGUF, {here} back in a folder");
    }
}

#[test]
fn a_model_that_gguf_cannot_say_is_refused_there_and_written_as_a_folder() {
    let (folder, at) = folder();
    for name in FOLDER_ONLY {
        let error = export(&golden(name), &at("x.gguf"), None).unwrap_err().to_string();
        assert!(error.contains("hint:") && error.contains("x.gguf"), "{error}");
        // The file was written, read back and found wanting: nothing of it is left.
        assert_eq!(folder.path().read_dir().unwrap().count(), 0, "{name}");
        let copy = at(name);
        export(&golden(name), &copy, None).unwrap();
        assert!(distance(&golden(name), &copy) < 1e-5, "{name}");
        std::fs::remove_dir_all(copy).unwrap();
    }
}

#[test]
fn matrices_are_stored_as_asked_and_vectors_in_f32() {
    let (_folder, at) = folder();
    let kinds = |encoding: Option<Encoding>, name: &str| {
        let path = at(name);
        export(&golden("llama-tiny"), &path, encoding).unwrap();
        let gguf = Gguf::open(&path).unwrap();
        let kind = |tensor: &str| {
            let found = gguf.tensors().iter().find(|info| info.name == tensor).unwrap();
            found.kind.name
        };
        ["blk.0.attn_norm.weight", "blk.1.ffn_up.weight", "output.weight"].map(kind)
    };
    assert_eq!(kinds(None, "kept.gguf"), ["F32", "F32", "F32"]);
    assert_eq!(kinds(Some(Encoding::F16), "half.gguf"), ["F32", "F16", "F16"]);
    assert_eq!(kinds(Some(Encoding::Q8_0), "eight.gguf"), ["F32", "Q8_0", "Q8_0"]);
    // Rows of 32 are no blocks of 256: the types fall back to blocks of 32, the head to one with more bits.
    assert_eq!(kinds(Some(Encoding::Q4K), "four.gguf"), ["F32", "Q5_0", "Q8_0"]);
    assert_eq!(kinds(Some(Encoding::Q6K), "six.gguf"), ["F32", "Q8_0", "Q8_0"]);
    // And rows of 24 are no blocks at all.
    assert_eq!(Encoding::Q8_0.for_rows_of(24), Encoding::F16);
}

#[test]
fn eight_bits_keep_the_likeliest_token_of_every_family() {
    let (_folder, at) = folder();
    for name in BOTH {
        let path = at(&format!("{name}.gguf"));
        export(&golden(name), &path, Some(Encoding::Q8_0)).unwrap();
        let (exact, rounded) = (logits(&golden(name)), logits(&path));
        let same = |(a, b): (&[f32], &[f32])| argmax(a) == argmax(b);
        let n_same = exact.chunks(128).zip(rounded.chunks(128)).filter(|pair| same(*pair)).count();
        assert!(n_same >= 36, "{name}: {n_same} of 40");
    }
}

#[test]
fn a_quantised_file_goes_back_to_a_folder_of_the_numbers_it_stands_for() {
    let (_folder, at) = folder();
    let (rounded, back) = (at("rounded.gguf"), at("back"));
    export(&golden("mixtral-tiny"), &rounded, Some(Encoding::Q8_0)).unwrap();
    export(&rounded, &back, None).unwrap();
    assert!(distance(&rounded, &back) < 3e-5);
}

#[test]
fn what_cannot_be_written_is_said_and_leaves_nothing() {
    let (folder, at) = folder();
    let refusal = |to: &Path, encoding| {
        let error = export(&golden("llama-tiny"), to, encoding).unwrap_err().to_string();
        assert!(error.contains("hint:"), "{error}");
        error
    };
    assert!(refusal(&at("folder"), Some(Encoding::Q4K)).contains("Q4_K"));
    std::fs::write(at("file"), "in the way").unwrap();
    assert!(refusal(&at("file/model.gguf"), None).contains("file"));
    assert!(refusal(&at("file"), None).contains("already"));
    let names: Vec<_> = folder.path().read_dir().unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, ["file"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error_that_names_the_file() {
    let (config, weights) = read(&golden("llama-tiny")).unwrap();
    let (folder, at) = folder();
    // The temporary name is made a link to a device that is always full.
    let partial = at(&format!("model.gguf.partial-{}", std::process::id()));
    std::os::unix::fs::symlink("/dev/full", &partial).unwrap();
    let mut silent = |_: u64, _: u64, _: &str| {};
    let mut options = Options { encoding: None, n_threads: 1, on_progress: &mut silent };
    let path = at("model.gguf");
    let error = to_gguf(&path, &config, &weights, "tiny", vec![], &mut options).unwrap_err();
    let error = error.to_string();
    assert!(error.contains("model.gguf") && error.contains("room"), "{error}");
    assert_eq!(folder.path().read_dir().unwrap().count(), 0);
}
