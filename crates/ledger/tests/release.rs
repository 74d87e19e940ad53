//! The gate: what lets a model out, and everything that must not.

use std::path::{Path, PathBuf};

use ledger::Timestamp;
use ledger::release::{
    Decision, Fault, Manifest, Policy, Sources, Verdict, judge, manifest_path, sign,
};
use ledger::signature::{self, Keys};

const WEIGHTS: &[u8] = b"weights of a model, as far as the gate can tell";
const RESULTS: &str = r#"{"results":[
    {"task":"blimp","metric":"acc","value":0.7,"stderr":0.01,"n":1000},
    {"task":"refusals","metric":"refused","value":0.97,"stderr":0.02,"n":80}]}"#;

/// A model in a folder, three reviewers of whom two have to approve, and an outsider.
struct Scene {
    folder: tempfile::TempDir,
    reviewers: Vec<Keys>,
    outsider: Keys,
    policy: String,
}

impl Scene {
    fn new() -> Self {
        Self::with(r#"threshold = [{ task = "blimp", metric = "acc", at_least = 0.6 }]"#)
    }

    fn with(thresholds: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("model.safetensors"), WEIGHTS).expect("written");
        std::fs::write(folder.path().join("config.json"), "{}").expect("written");
        std::fs::create_dir(folder.path().join("extra")).expect("made");
        std::fs::write(folder.path().join("extra/template.jinja"), "hi").expect("written");
        let reviewers: Vec<Keys> = (0..3).map(|_| signature::generate().expect("keys")).collect();
        let mut policy =
            format!("name = \"test\"\nsignatures = 2\ndisclosure = false\n{thresholds}\n");
        for (i, keys) in reviewers.iter().enumerate() {
            policy += &format!("[[reviewer]]\nname = \"r{i}\"\nkey = \"{}\"\n", line(keys));
        }
        let outsider = signature::generate().expect("keys");
        Self { folder, reviewers, outsider, policy }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn policy(&self) -> Policy {
        toml::from_str(&self.policy).expect("a policy")
    }

    fn make(&self, disclosure: Option<&str>) -> Manifest {
        let results = [("results.json".to_owned(), RESULTS.to_owned())];
        let sources = Sources {
            name: "tiny",
            policy: ("test", &self.policy),
            disclosure,
            results: &results,
            limits: "Knows nothing of medicine.",
        };
        let manifest = Manifest::make(self.path(), &sources, Timestamp::UNIX_EPOCH).expect("made");
        manifest.write(self.path(), true).expect("written");
        manifest
    }

    fn sign(&self, keys: &Keys, decision: &Decision) -> PathBuf {
        let policy = self.policy();
        sign(self.path(), &self.verdict(), &policy, &keys.secret, decision, Timestamp::UNIX_EPOCH)
            .expect("signed")
    }

    fn approved(self) -> Self {
        self.make(None);
        self.sign(&self.reviewers[0], &Decision::Approves);
        self.sign(&self.reviewers[2], &Decision::Approves);
        self
    }

    fn verdict(&self) -> Verdict {
        judge(self.path(), &self.policy(), &self.policy).expect("a verdict")
    }
}

fn line(keys: &Keys) -> &str {
    keys.public.lines().nth(1).expect("the key is the second line")
}

#[test]
fn two_of_three_reviewers_open_the_gate_and_one_does_not() {
    let scene = Scene::new();
    scene.make(None);
    assert_eq!(scene.verdict().faults, [Fault::TooFew { have: 0, need: 2 }]);
    scene.sign(&scene.reviewers[1], &Decision::Approves);
    // Twice by one hand is once.
    scene.sign(&scene.reviewers[1], &Decision::Approves);
    assert_eq!(scene.verdict().faults, [Fault::TooFew { have: 1, need: 2 }]);
    scene.sign(&scene.reviewers[0], &Decision::Approves);
    let verdict = scene.verdict();
    assert!(verdict.released && verdict.faults.is_empty());
    let names: Vec<&str> = verdict.reviews.iter().map(|r| r.reviewer.as_str()).collect();
    assert_eq!(names.len(), 2);
    assert!(names.contains(&"r0") && names.contains(&"r1"));
}

#[test]
fn a_copy_of_a_signature_under_another_name_is_no_second_approval() {
    let scene = Scene::new();
    scene.make(None);
    let one = scene.sign(&scene.reviewers[0], &Decision::Approves);
    std::fs::copy(&one, scene.path().join("release.json.COPY.minisig")).expect("copied");
    assert_eq!(scene.verdict().faults, [Fault::TooFew { have: 1, need: 2 }]);
}

#[test]
fn a_file_that_changed_went_or_came_shuts_it() {
    type Change = fn(&Path);
    type Expected = fn(&Fault) -> bool;
    let changes: [(&str, Change, Expected); 4] = [
        (
            "weights",
            |folder| std::fs::write(folder.join("model.safetensors"), b"other").expect("written"),
            |fault| matches!(fault, Fault::Altered { path, .. } if path == "model.safetensors"),
        ),
        (
            "nested",
            |folder| std::fs::write(folder.join("extra/template.jinja"), "ho").expect("written"),
            |fault| matches!(fault, Fault::Altered { path, .. } if path == "extra/template.jinja"),
        ),
        (
            "gone",
            |folder| std::fs::remove_file(folder.join("config.json")).expect("removed"),
            |fault| matches!(fault, Fault::Missing { path } if path == "config.json"),
        ),
        (
            "came",
            |folder| std::fs::write(folder.join("adapter.safetensors"), "x").expect("written"),
            |fault| matches!(fault, Fault::Added { path } if path == "adapter.safetensors"),
        ),
    ];
    for (name, change, expected) in changes {
        let scene = Scene::new().approved();
        assert!(scene.verdict().released, "{name}");
        change(scene.path());
        let verdict = scene.verdict();
        assert!(!verdict.released && verdict.faults.len() == 1, "{name}: {:?}", verdict.faults);
        assert!(expected(&verdict.faults[0]), "{name}: {:?}", verdict.faults);
    }
}

#[test]
fn a_manifest_that_was_touched_after_signing_has_no_approvals() {
    let scene = Scene::new().approved();
    let path = manifest_path(scene.path());
    let text = std::fs::read_to_string(&path).expect("read");
    std::fs::write(&path, text.replace("nothing of medicine", "all of medicine")).expect("written");
    let verdict = scene.verdict();
    assert_eq!(verdict.faults, [Fault::TooFew { have: 0, need: 2 }]);
    assert_eq!(verdict.ignored.len(), 2, "{:?}", verdict.ignored);
}

/// Another manifest, put in place between the judgement and the signature, is not the one that is signed.
#[test]
fn what_was_judged_is_what_is_signed() {
    let scene = Scene::new();
    scene.make(None);
    let judged = scene.verdict();
    let path = manifest_path(scene.path());
    assert_eq!(judged.manifest, std::fs::read_to_string(&path).expect("read"));
    let exchanged = judged.manifest.replace("nothing of medicine", "all of medicine");
    std::fs::write(&path, &exchanged).expect("written");
    let (policy, at) = (scene.policy(), Timestamp::UNIX_EPOCH);
    for keys in &scene.reviewers[..2] {
        sign(scene.path(), &judged, &policy, &keys.secret, &Decision::Approves, at)
            .expect("signed");
    }
    assert_eq!(scene.verdict().faults, [Fault::TooFew { have: 0, need: 2 }]);
    std::fs::write(&path, &judged.manifest).expect("written");
    assert!(scene.verdict().released);
}

#[test]
fn an_objection_outweighs_approvals_and_tells_its_reason() {
    let scene = Scene::new().approved();
    scene.sign(&scene.reviewers[1], &Decision::Objects("it explains\nlocks".into()));
    let objection = Fault::Objection { reviewer: "r1".into(), reason: String::new() };
    let verdict = scene.verdict();
    let [Fault::Objection { reviewer, reason }] = &verdict.faults[..] else {
        panic!("{:?} is not {objection:?}", verdict.faults)
    };
    assert!(reviewer == "r1" && reason.starts_with("it explains locks"), "{reason}");
    // Who approved and thinks again takes the approval away too.
    let scene = Scene::new().approved();
    scene.sign(&scene.reviewers[0], &Decision::Objects("no".into()));
    assert_eq!(scene.verdict().faults.len(), 2);
}

#[test]
fn keys_that_the_policy_does_not_name_neither_sign_nor_count() {
    let scene = Scene::new();
    scene.make(None);
    let verdict = scene.verdict();
    let text = &verdict.manifest;
    let policy = scene.policy();
    let at = Timestamp::UNIX_EPOCH;
    let refused =
        sign(scene.path(), &verdict, &policy, &scene.outsider.secret, &Decision::Approves, at);
    assert!(refused.expect_err("no reviewer").to_string().contains("belongs to no reviewer"));
    // A file written by hand, with a reviewer's name for it.
    let forged =
        signature::sign(text.as_bytes(), &scene.outsider.secret, "approves").expect("text");
    std::fs::write(scene.path().join("release.json.r1.minisig"), forged).expect("written");
    let verdict = scene.verdict();
    assert_eq!(verdict.faults, [Fault::TooFew { have: 0, need: 2 }]);
    assert!(verdict.ignored[0].contains("does not name"), "{:?}", verdict.ignored);
}

#[test]
fn a_signature_that_decides_nothing_is_no_approval() {
    let scene = Scene::new();
    scene.make(None);
    let text = std::fs::read_to_string(manifest_path(scene.path())).expect("read");
    for comment in ["timestamp:1700000000", "approvesnot", "disapproves"] {
        let signed = signature::sign(text.as_bytes(), &scene.reviewers[0].secret, comment);
        std::fs::write(scene.path().join("release.json.a.minisig"), signed.expect("text"))
            .expect("written");
        let verdict = scene.verdict();
        assert_eq!(verdict.faults, [Fault::TooFew { have: 0, need: 2 }], "{comment}");
        assert_eq!(verdict.ignored.len(), 1, "{comment}");
    }
}

#[test]
fn thresholds_hold_whoever_signs() {
    let cases = [
        (r#"{ task = "blimp", metric = "acc", at_least = 0.71 }"#, "at least 0.71"),
        (r#"{ task = "blimp", metric = "acc", at_most = 0.69 }"#, "at most 0.69"),
        // 0.7 − 2 · 0.01 is too low, though 0.7 is not.
        (
            r#"{ task = "blimp", metric = "acc", at_least = 0.69, standard_errors = 2 }"#,
            "0.69 by 2",
        ),
        (r#"{ task = "blimp", metric = "acc_norm", at_least = 0 }"#, "not measured"),
        (
            r#"{ task = "refusals", metric = "refused", at_least = 0.9, least_n = 100 }"#,
            "80 documents",
        ),
        (r#"{ fact = "compute.model_flop", at_most = 1e25 }"#, "not stated"),
    ];
    for (threshold, words) in cases {
        let scene = Scene::with(&format!("threshold = [{threshold}]")).approved();
        let verdict = scene.verdict();
        assert_eq!(verdict.faults.len(), 1, "{threshold}");
        assert!(verdict.faults[0].to_string().contains(words), "{}", verdict.faults[0]);
    }
    let kept = r#"threshold = [{ task = "blimp", metric = "acc", at_least = 0.6, at_most = 0.8, standard_errors = 2, least_n = 1000 }]"#;
    assert!(Scene::with(kept).approved().verdict().released);
}

#[test]
fn another_policy_than_the_reviewed_one_shuts_it() {
    let mut scene = Scene::new().approved();
    scene.policy = scene.policy.replace("signatures = 2", "signatures = 1");
    let verdict = scene.verdict();
    assert!(matches!(verdict.faults[..], [Fault::OtherPolicy { .. }]), "{:?}", verdict.faults);
}

#[test]
fn documents_about_other_weights_are_refused() {
    let scene = Scene::new();
    let sources = |disclosure, results| Sources {
        name: "tiny",
        policy: ("test", "text"),
        disclosure,
        results,
        limits: "none",
    };
    let other = "0".repeat(64);
    let disclosure = format!(
        r#"{{"schema":"polymath-disclosure/1","identity":{{"weights_sha256":{{"value":"{other}"}}}}}}"#
    );
    let refused =
        Manifest::make(scene.path(), &sources(Some(&disclosure), &[]), Timestamp::UNIX_EPOCH);
    assert!(refused.expect_err("other weights").to_string().contains(&other));
    let results =
        format!(r#"{{"results":[],"weights":[{{"path":"m.gguf","bytes":1,"sha256":"{other}"}}]}}"#);
    let results = [("r.json".to_owned(), results)];
    let refused = Manifest::make(scene.path(), &sources(None, &results), Timestamp::UNIX_EPOCH);
    assert!(refused.expect_err("other weights").to_string().contains("r.json measured m.gguf"));
}

#[test]
fn a_disclosure_that_the_policy_asks_for_has_to_be_there() {
    let mut scene = Scene::with(r#"threshold = [{ fact = "compute.model_flop", at_most = 1e25 }]"#);
    scene.policy = scene.policy.replace("disclosure = false", "disclosure = true");
    let scene = scene.approved();
    assert!(scene.verdict().faults.contains(&Fault::NoDisclosure));
    let disclosure = r#"{"schema":"polymath-disclosure/1","compute":{"model_flop":{"value":9e24,"unit":"FLOP"}}}"#;
    scene.make(Some(disclosure));
    scene.sign(&scene.reviewers[0], &Decision::Approves);
    scene.sign(&scene.reviewers[2], &Decision::Approves);
    assert!(scene.verdict().released, "{:?}", scene.verdict().faults);
}

#[test]
fn a_single_file_has_its_manifest_beside_it() {
    let scene = Scene::new();
    let file = scene.path().join("m.gguf");
    std::fs::write(&file, WEIGHTS).expect("written");
    assert_eq!(manifest_path(&file), scene.path().join("m.gguf.release.json"));
    let sources = Sources {
        name: "m",
        policy: ("test", &scene.policy),
        disclosure: None,
        results: &[("r".to_owned(), RESULTS.to_owned())],
        limits: "few",
    };
    let manifest = Manifest::make(&file, &sources, Timestamp::UNIX_EPOCH).expect("made");
    manifest.write(&file, false).expect("written");
    assert!(manifest.write(&file, false).is_err(), "a manifest is not overwritten unasked");
    let policy = scene.policy();
    let verdict = || judge(&file, &policy, &scene.policy).expect("a verdict");
    for keys in &scene.reviewers[..2] {
        let at = Timestamp::UNIX_EPOCH;
        sign(&file, &verdict(), &policy, &keys.secret, &Decision::Approves, at).expect("signed");
    }
    assert!(verdict().released);
}

#[test]
fn contradictory_policies_are_refused_by_field() {
    let scene = Scene::new();
    let twice = scene.policy.replace(line(&scene.reviewers[1]), line(&scene.reviewers[0]));
    let cases = [
        (scene.policy.replace("signatures = 2", "signatures = 0"), "signatures"),
        (scene.policy.replace("signatures = 2", "signatures = 4"), "4 of 3 reviewers"),
        (scene.policy.replace(line(&scene.reviewers[1]), "RWQ"), "reviewer.key"),
        (scene.policy.replace("\"r1\"", "\"r0\""), "one name and one key"),
        (twice, "one name and one key"),
        (scene.policy.replace("at_least = 0.6", "at_least = nan"), "not a number"),
        (scene.policy.replace(", at_least = 0.6", ""), "without a bound"),
        (scene.policy.replace("metric = \"acc\"", "fact = \"x\""), "two things"),
    ];
    for (text, words) in cases {
        let policy: Policy = toml::from_str(&text).expect("a policy's shape");
        let error = policy.check().expect_err(words).to_string();
        assert!(error.contains(words), "{error}");
    }
    assert!(toml::from_str::<Policy>(&(scene.policy + "\nveto = 1")).is_err());
}

#[test]
fn without_a_manifest_or_with_a_torn_one_the_gate_says_so() {
    let scene = Scene::new();
    let error = judge(scene.path(), &scene.policy(), &scene.policy).expect_err("no manifest");
    assert!(error.to_string().contains("no release manifest"), "{error}");
    let scene = scene.approved();
    let path = manifest_path(scene.path());
    let text = std::fs::read(&path).expect("read");
    for cut in [0, 1, text.len() / 2, text.len() - 2] {
        std::fs::write(&path, &text[..cut]).expect("written");
        assert!(judge(scene.path(), &scene.policy(), &scene.policy).is_err(), "{cut} bytes");
    }
}

/// No single bit of a model, its manifest or its approvals can change without shutting the gate.
#[test]
fn any_flipped_bit_shuts_it() {
    let scene = Scene::new().approved();
    let policy = scene.policy();
    let released = || judge(scene.path(), &policy, &scene.policy).is_ok_and(|v| v.released);
    let entries = std::fs::read_dir(scene.path()).expect("a folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let paths: Vec<PathBuf> = paths.filter(|path| path.is_file()).collect();
    assert_eq!(paths.len(), 5);
    for path in paths {
        let whole = std::fs::read(&path).expect("read");
        let signature = path.extension().is_some_and(|ending| ending == "minisig");
        // Not signed: the comment that is a signature's first line, the label of the signed one, and the last three
        // characters of each base64 line, in which padding and unused bits stand.
        let unsigned = |at: usize| {
            let line = whole[..at].iter().filter(|&&byte| byte == b'\n').count();
            let start = whole[..at].iter().rposition(|&byte| byte == b'\n').map_or(0, |n| n + 1);
            let left = whole[at..].iter().position(|&byte| byte == b'\n').unwrap_or(0);
            let padding = line % 2 == 1 && left <= 3;
            signature
                && (line == 0 || line == 2 && at - start < "trusted comment: ".len() || padding)
        };
        for at in (0..whole.len()).filter(|&at| !unsigned(at)) {
            // Another bit at each place: all of them would take a minute.
            let bit = at % 8;
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << bit;
            std::fs::write(&path, bytes).expect("written");
            assert!(!released(), "bit {bit} of byte {at} of {}", path.display());
        }
        std::fs::write(&path, whole).expect("written");
    }
    assert!(released());
}
