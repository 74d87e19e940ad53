//! Evaluation against lm-evaluation-harness: `golden/make_eval_reference.py` asked it about the same models and
//! documents; every prompt, every likelihood and every result is compared.

use std::path::{Path, PathBuf};

use infer::{DecoderPrecision, Engine};
use serde_json::Value;
use sha2::{Digest, Sha256};
use train::evaluation::{self, Options, OutputType, Report, Task, catalogue};

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../golden")
}

fn data() -> PathBuf {
    golden().join("eval/data")
}

/// The tiny Llama with one of the two tokenizers.
fn tiny(tokenizer: &str) -> Engine {
    let folder = tempfile::tempdir().unwrap();
    let copy = |from: PathBuf| {
        std::fs::copy(&from, folder.path().join(from.file_name().unwrap())).unwrap();
    };
    for file in ["config.json", "model.safetensors"] {
        copy(golden().join("llama-tiny").join(file));
    }
    for file in ["tokenizer.json", "tokenizer_config.json"] {
        copy(golden().join("eval").join(tokenizer).join(file));
    }
    Engine::load_with(folder.path(), 2, DecoderPrecision::Exact).unwrap()
}

fn task(name: &str) -> Task {
    match name {
        "gsm8k_short" => Task::read(&golden().join("eval/gsm8k_short.toml")).unwrap(),
        name => catalogue::find(name).unwrap().tasks.remove(0),
    }
}

fn run(engine: &Engine, task: &Task, options: &Options<'_>) -> Report {
    evaluation::run(engine, task, options, &mut |_, _| {}).unwrap()
}

fn sha256(texts: &[&str]) -> String {
    let hash = Sha256::digest(texts.join("\0").as_bytes());
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The hashes of what was asked, as the reference has them; of whole texts it is the text.
fn asked(sample: &Value) -> Vec<String> {
    match &sample["asked"] {
        Value::String(context) => vec![sha256(&[context])],
        Value::Array(pairs) => pairs
            .iter()
            .map(|pair| sha256(&[pair[0].as_str().unwrap(), pair[1].as_str().unwrap()]))
            .collect(),
        _ => vec![sha256(&[sample["doc"]["text"].as_str().unwrap()])],
    }
}

/// Compares a run with the reference: prompts to the letter, likelihoods within `tolerance` per unit of size, what is
/// counted of them and the results to the digit.
fn compare(reference: &Value, report: &Report, tolerance: f64) {
    let name = format!("{} with {} examples", report.task, report.shots);
    let documents = reference["documents"].as_array().unwrap();
    assert_eq!(report.samples.len(), documents.len(), "{name}");
    for (at, (sample, document)) in report.samples.iter().zip(documents).enumerate() {
        let place = format!("{name}, document {at}: {}", sample["asked"]);
        let hashes: Vec<&str> =
            document["asked"].as_array().unwrap().iter().map(|v| v.as_str().unwrap()).collect();
        assert_eq!(asked(sample), hashes, "{place}");
        let answers = document["answers"].as_array().unwrap();
        match report.output_type {
            OutputType::GenerateUntil => assert_eq!(sample["answer"], answers[0], "{place}"),
            OutputType::LoglikelihoodRolling => {
                near(&sample["answer"], &answers[0], tolerance, &place);
            }
            _ => {
                for (ours, theirs) in sample["answer"].as_array().unwrap().iter().zip(answers) {
                    near(&ours[0], &theirs[0], tolerance, &place);
                    assert_eq!(ours[1], theirs[1], "{place}");
                }
            }
        }
        for counted in sample["metrics"].as_array().unwrap() {
            let filter = counted["filter"].as_str().unwrap_or("none");
            let theirs = &document["counted"][filter][counted["metric"].as_str().unwrap()];
            match theirs {
                Value::Array(pair) => {
                    near(&counted["value"][0], &pair[0], tolerance, &place);
                    assert_eq!(counted["value"][1].as_f64(), pair[1].as_f64(), "{place}");
                }
                one => near(&counted["value"], one, tolerance, &place),
            }
        }
    }
    for row in &report.results {
        let metric = serde_json::to_value(row.metric).unwrap();
        let metric = metric.as_str().unwrap();
        let filter = row.filter.as_deref().unwrap_or("none");
        let theirs = |what: &str| reference["results"][format!("{metric}{what},{filter}")].as_f64();
        // Sums of zeros and ones have no rounding; those of likelihoods have that of the network.
        let exact = row.higher_is_better && report.task != "truthfulqa_mc2";
        let allowed = |value: f64| if exact { 1e-12 } else { tolerance * value.abs().max(1.0) };
        let value = theirs("").unwrap_or_else(|| panic!("{name}: no {metric}"));
        assert!((row.value - value).abs() <= allowed(value), "{name}: {row:?} {value}");
        match (row.stderr, theirs("_stderr")) {
            (Some(ours), Some(theirs)) => {
                assert!((ours - theirs).abs() <= allowed(theirs), "{name}: {row:?} {theirs}");
            }
            (ours, theirs) => assert_eq!(ours, theirs, "{name}: {row:?}"),
        }
    }
}

fn near(ours: &Value, theirs: &Value, tolerance: f64, place: &str) {
    let (a, b) = (ours.as_f64().unwrap(), theirs.as_f64().unwrap());
    assert!((a - b).abs() <= tolerance * b.abs().max(1.0), "{a} against {b}: {place}");
}

fn reference(file: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(golden().join("eval").join(file)).unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    document["runs"].as_array().unwrap().clone()
}

#[test]
fn the_tiny_model_scores_as_lm_evaluation_harness_says() {
    let runs = reference("reference.json");
    for tokenizer in ["plain", "begin"] {
        let engine = tiny(tokenizer);
        let mine: Vec<&Value> = runs.iter().filter(|run| run["tokenizer"] == tokenizer).collect();
        assert!(mine.len() >= 19, "{} runs with {tokenizer}", mine.len());
        for reference in mine {
            let shots = reference["shots"].as_u64().map(|shots| shots as usize);
            let data = data();
            let options = Options { shots, data: Some(&data), ..Options::default() };
            let report = run(&engine, &task(reference["task"].as_str().unwrap()), &options);
            // Logits of f32 networks differ in their last digits with the order of the sums.
            compare(reference, &report, 2e-5);
        }
    }
}

#[test]
fn smollm2_scores_as_lm_evaluation_harness_says() {
    let folder = std::env::var_os("POLYMATH_TEST_MODELS").map(PathBuf::from);
    let folder = folder.unwrap_or_else(|| golden().join("../.cache/models"));
    let path = folder.join("SmolLM2-135M-Instruct.Q4_1.gguf");
    if !path.exists() {
        eprintln!("skipped: {} is not here; POLYMATH_TEST_MODELS names the folder", path.display());
        return;
    }
    let engine = Engine::load_with(&path, 2, DecoderPrecision::Exact).unwrap();
    for reference in reference("smollm2.reference.json") {
        let shots = reference["shots"].as_u64().map(|shots| shots as usize);
        let data = data();
        let options = Options { shots, data: Some(&data), ..Options::default() };
        let report = run(&engine, &task(reference["task"].as_str().unwrap()), &options);
        // Thirty layers: the last digits of sums in vectors of 16 lanes differ from those of 8 by as much as either
        // from PyTorch's (2.2e-5 seen).
        compare(&reference, &report, 1e-4);
    }
}

/// Texts of their own, and as what they are packed with changes: the same bits for each, the same sum for all.
#[test]
fn bits_per_byte_do_not_depend_on_what_is_scored_together() {
    let engine = tiny("plain");
    let folder = tempfile::tempdir().unwrap();
    let texts: Vec<String> = (0..9)
        .map(|i| format!("The mill stood by the river{}", ", and the wheel turned".repeat(i * i)))
        .collect();
    let task = task("bits_per_byte");
    let score = |texts: &[&String]| {
        let path = folder.path().join("texts.jsonl");
        let lines = texts.iter().map(|text| serde_json::json!({ "text": text }).to_string());
        std::fs::write(&path, lines.collect::<Vec<_>>().join("\n")).unwrap();
        run(&engine, &task, &Options { data: Some(&path), ..Options::default() })
    };
    let all: Vec<&String> = texts.iter().collect();
    let reversed: Vec<&String> = texts.iter().rev().collect();
    let (forward, backward) = (score(&all), score(&reversed));
    let answers = |report: &Report| -> Vec<Value> {
        report.samples.iter().map(|sample| sample["answer"].clone()).collect()
    };
    let mut turned = answers(&backward);
    turned.reverse();
    assert_eq!(answers(&forward), turned);
    for (text, together) in texts.iter().zip(answers(&forward)) {
        assert_eq!(answers(&score(&[text])), [together]);
    }
    let logprob: f64 = answers(&forward).iter().filter_map(Value::as_f64).sum();
    let bytes: usize = texts.iter().map(String::len).sum();
    let bits = -logprob / bytes as f64 / std::f64::consts::LN_2;
    assert!((forward.results[0].value - bits).abs() < 1e-12);
    assert!((forward.results[0].value - backward.results[0].value).abs() < 1e-12);
}

/// A text longer than the context, by hand: each token's probability given what its window holds before it.
#[test]
fn rolling_windows_give_each_token_the_context_that_its_window_holds() {
    let engine = tiny("plain");
    let text =
        "The ferry to the island leaves at noon and returns in the evening with bread and salt.";
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("text.txt");
    std::fs::write(&path, text).unwrap();
    let max_length = 16;
    let options = Options { data: Some(&path), max_length: Some(max_length), ..Options::default() };
    let report = run(&engine, &task("bits_per_byte"), &options);
    let tokens = engine.encode_text(text).unwrap();
    assert!(tokens.len() > 2 * max_length && !tokens.len().is_multiple_of(max_length));
    let bos = engine.tokenizer().unwrap().bos().unwrap();
    let padded: Vec<u32> = std::iter::once(bos).chain(tokens.iter().copied()).collect();
    let mut logprob = 0.0;
    for target in 1..padded.len() {
        // The window that predicts token `target` ends where the next multiple of the length lies, or at the end.
        let end = (target.div_ceil(max_length) * max_length).min(padded.len() - 1);
        let start = end - max_length.min(end);
        let rows = infer::Session::new(&engine).logits(&padded[start..target]).unwrap();
        let row: Vec<f64> = rows.last().unwrap().iter().map(|&logit| f64::from(logit)).collect();
        let total = row.iter().map(|logit| logit.exp()).sum::<f64>().ln();
        logprob += row[padded[target] as usize] - total;
    }
    let ours = report.samples[0]["answer"].as_f64().unwrap();
    assert!((ours - logprob).abs() < 1e-4 * logprob.abs(), "{ours} against {logprob}");
}

#[test]
fn data_that_is_missing_or_does_not_fit_says_what_to_do() {
    let engine = tiny("plain");
    let fails = |name: &str, options: Options<'_>| {
        let outcome = evaluation::run(&engine, &task(name), &options, &mut |_, _| {});
        outcome.unwrap_err().to_string()
    };
    let said = fails("arc_easy", Options::default());
    assert!(said.contains("allenai/ai2_arc") && said.contains("--data"), "{said}");
    let said = fails("bits_per_byte", Options::default());
    assert!(said.contains("--data FILE"), "{said}");
    // Questions of another set.
    let file = data().join("boolq/validation.jsonl");
    let said = fails("arc_easy", Options { data: Some(&file), ..Options::default() });
    assert!(said.contains("document 0"), "{said}");
    let data = data();
    let said = fails("boolq", Options { data: Some(&data), shots: Some(9), ..Options::default() });
    assert!(said.contains("--shots"), "{said}");
}

#[test]
fn parquet_and_json_lines_hold_the_same_questions() {
    let engine = tiny("plain");
    let scores = |data: PathBuf| {
        run(&engine, &task("arc_easy"), &Options { data: Some(&data), ..Options::default() })
            .samples
    };
    let lines = scores(data());
    assert_eq!(lines.len(), 9);
    assert_eq!(lines, scores(golden().join("eval/parquet")));
}
