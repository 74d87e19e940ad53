//! Promises of leaving: what is forgotten is gone from the files, what is exported is byte for byte the owner's.

mod life;

use life::Life;

/// Invented words whose every three letters stand nowhere else.
const SECRET: &str = "zqxjv wqzkp jxqvb";

#[test]
fn after_forgetting_no_three_letters_of_a_source_remain_in_the_vaults_files() {
    let life = Life::new();
    life.mail("m.eml", "Qzwyx Vbjkq", "Ben Okafor", "qjzwv", "1", None, SECRET);
    life.write("n.md", &format!("# xkqzj\n\n{SECRET} [[vqzjx]]"));
    life.sync();
    let source = life.vault.sources().unwrap()[0].id;
    let report = life.vault.forget(source).unwrap();
    assert_eq!(report.items, 2);
    let mut grams: Vec<String> = Vec::new();
    for word in "zqxjv wqzkp jxqvb qzwyx vbjkq qjzwv xkqzj vqzjx".split(' ') {
        grams.extend((0..word.len() - 2).map(|at| word[at..at + 3].to_owned()));
    }
    for entry in std::fs::read_dir(life.vault.dir()).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap().to_ascii_lowercase();
        for gram in &grams {
            let there = bytes.windows(3).any(|window| window == gram.as_bytes());
            assert!(!there, "{gram} is still in {}", path.display());
        }
    }
    assert!(life.files().join("n.md").exists());
}

#[test]
fn forgetting_one_source_leaves_the_other_whole() {
    let life = Life::new().small();
    let other = life.dir.path().join("other");
    std::fs::create_dir(&other).unwrap();
    std::fs::write(other.join("s.md"), "# Secret\n\nthe ferry of zqxjvwqzkpjxqvb").unwrap();
    let id = life.vault.add(&other).unwrap();
    life.sync();
    let before = life.titles("ferry");
    assert!(before.contains(&"Secret".to_owned()));
    life.vault.forget(id).unwrap();
    let after: Vec<String> = before.into_iter().filter(|title| title != "Secret").collect();
    assert_eq!(life.titles("ferry"), after);
    assert!(life.titles("zqxjvwqzkpjxqvb").is_empty());
    for entry in std::fs::read_dir(life.vault.dir()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(!bytes.windows(8).any(|window| window == b"zqxjvwqz"));
    }
    assert!(life.vault.forget(id).is_err());
}

#[test]
fn an_export_gives_back_every_byte_and_a_manifest() {
    let life = Life::new().small();
    let to = life.dir.path().join("out");
    let report = life.vault.export(&to).unwrap();
    assert_eq!((report.items, report.files, report.text_only.len()), (3, 3, 0));
    for path in ["mail/1.eml", "mail/2.eml", "notes/Packing.md"] {
        let original = std::fs::read(life.files().join(path)).unwrap();
        assert_eq!(std::fs::read(to.join("1").join(path)).unwrap(), original, "{path}");
    }
    let manifest = std::fs::read(to.join("manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
    assert_eq!(manifest.as_array().unwrap().len(), 3);
    assert!(life.vault.export(&to).is_err(), "an export never overwrites another");
}

#[test]
fn messages_of_a_mailbox_come_out_one_by_one_and_lost_originals_as_text() {
    let life = Life::new();
    let message = |n: usize| {
        format!("From: a@example.org\nSubject: number {n}\nMessage-ID: <{n}@x>\n\nbody {n}\n")
    };
    let mbox: String =
        (1..=3).map(|n| format!("From a Mon Jun  1 09:00:00 2026\n{}\n", message(n))).collect();
    life.write("all.mbox", &mbox);
    life.write("gone.md", "# Gone\n\nwords that stay");
    life.sync();
    std::fs::remove_file(life.files().join("gone.md")).unwrap();
    let to = life.dir.path().join("out");
    let report = life.vault.export(&to).unwrap();
    assert_eq!((report.items, report.text_only.len()), (4, 1));
    let texts: Vec<String> = std::fs::read_dir(to.join("1/all.mbox.parts"))
        .unwrap()
        .map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap())
        .collect();
    assert_eq!(texts.len(), 3);
    assert!(texts.iter().any(|text| text.contains("number 2") && text.contains("body 2")));
    let text = std::fs::read_to_string(to.join("1/gone.md.txt")).unwrap();
    assert!(text.contains("words that stay"));
}
