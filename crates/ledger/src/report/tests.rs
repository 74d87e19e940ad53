use std::path::Path;

use crate::Timestamp;
use crate::journal::{self, Journal};
use crate::record::{Record, RunStarted, Sample, Step};

fn golden() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../golden/ledger/journal.jsonl");
    let contents = journal::read(&path).expect("a journal");
    super::page(&contents, Timestamp::UNIX_EPOCH, None).expect("a page")
}

/// The page of a run with these records behind its start.
fn page_of(records: &[Record]) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("journal.jsonl");
    let started = RunStarted { run_id: "<b>run</b>".into(), ..RunStarted::default() };
    let mut journal = Journal::create(&path, &started, Timestamp::UNIX_EPOCH).expect("a journal");
    for record in records {
        journal.append(record, Timestamp::UNIX_EPOCH).expect("appended");
    }
    let contents = journal::read(&path).expect("a journal");
    super::page(&contents, Timestamp::UNIX_EPOCH, Some(5)).expect("a page")
}

/// Tags opened and closed in order, as XML asks; HTML's void elements left out.
fn assert_balanced(page: &str) {
    let mut open = Vec::new();
    for tag in page.split('<').skip(1) {
        let tag = tag.split('>').next().expect("a tag");
        let name: String =
            tag.trim_start_matches('/').chars().take_while(|c| c.is_ascii_alphanumeric()).collect();
        if tag.starts_with('!') || tag.ends_with('/') || name == "meta" {
            continue;
        }
        if tag.starts_with('/') {
            assert_eq!(open.pop().as_deref(), Some(name.as_str()), "closed out of order");
        } else {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "{open:?} never closed");
}

#[test]
fn the_page_is_whole_and_fetches_nothing() {
    let page = golden();
    assert_balanced(&page);
    for forbidden in
        ["http:", "https:", "<script", "<link", "<img", "url(", "@import", "NaN", "inf "]
    {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
    for expected in [
        "Training loss",
        "Held-out bits per byte",
        "Learning rate",
        "Gradient norm",
        "Throughput",
        "Utilisation",
        "Power",
    ] {
        assert!(page.contains(&format!("aria-label=\"{expected}\"")), "{expected}");
    }
}

#[test]
fn rolled_back_steps_are_drawn_and_counted() {
    let page = golden();
    assert!(page.contains("class=\"lost\""));
    assert!(page.contains("5 steps were done again"));
    assert!(page.contains("resumed from step 40"));
}

#[test]
fn the_map_has_a_block_for_each_layer_and_all_its_cells() {
    let page = golden();
    assert_eq!(page.matches("load of the experts of layer").count(), 4);
    let block = page.split("load of the experts of layer 0").nth(1).expect("a block");
    let block = block.split("</svg>").next().expect("its end");
    // Each run of cells is `M x y h n v1 h -n z`; together they fill 8 experts × 60 steps.
    let cells: usize = block
        .split('M')
        .skip(1)
        .filter_map(|run| run.split('h').nth(1)?.split('v').next()?.parse::<usize>().ok())
        .sum();
    assert_eq!(cells, 8 * 60);
}

#[test]
fn text_from_the_run_cannot_become_markup() {
    let sample = Sample {
        step: 1,
        prompt: "<script>alert(1)</script>".into(),
        text: "\"><img src=x> & more".into(),
        ..Sample::default()
    };
    let page = page_of(&[Record::Sample(sample)]);
    assert_balanced(&page);
    assert!(!page.contains("<script") && !page.contains("<img") && !page.contains("<b>run"));
    assert!(page.contains("&lt;img src=x&gt; &amp; more"));
}

#[test]
fn a_run_that_has_not_begun_or_went_wrong_still_has_a_page() {
    assert!(page_of(&[]).contains("No step has been done yet."));
    let step = |step, loss| Record::Step(Step { step, loss, seconds: 0.0, ..Step::default() });
    let page = page_of(&[step(1, f64::NAN), step(2, f64::INFINITY), step(3, 2.0)]);
    assert_balanced(&page);
    assert!(page.contains("content=\"5\""));
}
