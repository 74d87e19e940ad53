//! The hazard filter on a public set: XSTest, whose harmless prompts are made to sound harmful.

use std::path::Path;

use corpus::hazard::{Example, Terms, measure, read_examples, train};

fn xstest() -> Vec<Example> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../golden/hazard/xstest.jsonl");
    read_examples(&path).expect("the set")
}

#[test]
fn terms_call_nothing_hazardous_that_only_sounds_so() {
    let examples = xstest();
    let terms = Terms::read(true, &[]).expect("the list");
    let measured = measure(&examples.iter().collect::<Vec<_>>(), |t| !terms.found(t).is_empty());
    assert_eq!((measured.n, measured.hazardous), (450, 200));
    assert_eq!(measured.false_alarms, 0.0);
}

/// Words that make both kinds alike leave a linear classifier little; what it finds has to be more than chance.
#[test]
fn the_classifier_tells_more_than_chance_apart_on_prompts_it_has_not_seen() {
    let examples = xstest();
    let of_seed = |seed| {
        let (classifier, unseen) = train(&examples, seed);
        measure(&unseen, |text| classifier.probability(text) >= 0.5)
    };
    let measured: Vec<_> = (0..5).map(of_seed).collect();
    let mean = |of: &dyn Fn(usize) -> f64| (0..5).map(of).sum::<f64>() / 5.0;
    let recall = mean(&|at| measured[at].recall);
    let false_alarms = mean(&|at| measured[at].false_alarms);
    assert!(recall > false_alarms + 0.1, "recall {recall:.3}, false alarms {false_alarms:.3}");
    assert!(measured.iter().all(|m| m.n > 60));
}

#[test]
fn labels_are_words_or_numbers_and_a_wrong_line_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("e.jsonl");
    std::fs::write(
        &path,
        "{\"text\":\"a\",\"label\":1,\"type\":\"x\"}\n\n{\"text\":\"b\",\"label\":false}\n",
    )
    .expect("written");
    let labels: Vec<bool> = read_examples(&path).expect("two").iter().map(|e| e.label).collect();
    assert_eq!(labels, [true, false]);
    for line in ["{\"text\":\"a\",\"label\":2}", "{\"text\":\"a\"}", "[]"] {
        std::fs::write(&path, format!("{{\"text\":\"a\",\"label\":0}}\n{line}\n"))
            .expect("written");
        let error = read_examples(&path).expect_err(line).to_string();
        assert!(error.contains("line 2"), "{error}");
    }
}
