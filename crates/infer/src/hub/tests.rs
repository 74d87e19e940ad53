//! Pulls against a hub on loopback that speaks the few headers the real one does, and breaks off when told to.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::registry::{HubFile, Named, Source, Task};
use super::*;

/// 3 MB that repeat nowhere near a block size.
fn content() -> Vec<u8> {
    (0..3_000_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

fn content_sha256() -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(content()).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn entry(sha256: &str) -> &'static Named {
    let file = HubFile { path: "tiny.gguf", sha256: Some(sha256.to_owned().leak()) };
    let files: &'static [HubFile] = Box::leak(Box::new([file]));
    let source = Source::HuggingFace { repo: "someone/tiny", revision: "main", files };
    Box::leak(Box::new(Named {
        name: "tiny",
        aliases: &[],
        task: Task::Chat,
        family: "llama",
        parameters: "1",
        bytes: 3_000_000,
        licence: "CC0-1.0",
        sources: Box::leak(Box::new([source])),
        runs: true,
    }))
}

/// A hub that closes the connection half-way through the body for the first `break_offs` downloads.
struct FakeHub {
    endpoint: String,
    sent: Arc<AtomicUsize>,
}

impl FakeHub {
    fn start(break_offs: usize) -> FakeHub {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let sent = Arc::new(AtomicUsize::new(0));
        let counter = sent.clone();
        std::thread::spawn(move || {
            let mut left = break_offs;
            for stream in listener.incoming().flatten() {
                serve(stream, &mut left, &counter);
            }
        });
        FakeHub { endpoint, sent }
    }

    fn hub(&self, home: &Path) -> Hub {
        Hub { models: home.join("models"), endpoint: self.endpoint.clone() }
    }
}

fn serve(stream: TcpStream, break_offs: &mut usize, sent: &AtomicUsize) {
    let mut start = 0;
    let mut probe = false;
    let mut lines = BufReader::new(&stream).lines();
    while let Some(Ok(line)) = lines.next() {
        if line.is_empty() {
            break;
        }
        if let Some(range) = line.to_lowercase().strip_prefix("range: bytes=") {
            probe = range == "0-0";
            start = range.split('-').next().unwrap().parse().unwrap();
        }
    }
    let content = content();
    let body = if probe { &content[..1] } else { &content[start..] };
    let mut out = &stream;
    let head = format!(
        "HTTP/1.1 206 Partial Content\r\nx-repo-commit: c0ffee\r\netag: \"{}\"\r\n\
         content-range: bytes {start}-{}/{}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        content_sha256(),
        start + body.len() - 1,
        content.len(),
        body.len()
    );
    let mut body = body;
    if !probe && *break_offs > 0 {
        *break_offs -= 1;
        body = &body[..body.len() / 2];
    }
    // The client may be gone by now; the next connection tells.
    let _ = out.write_all(head.as_bytes()).and_then(|()| out.write_all(body));
    if !probe {
        sent.fetch_add(body.len(), Ordering::SeqCst);
    }
}

fn quietly(_: &Progress) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

#[test]
fn an_interrupted_download_goes_on_where_it_stopped() {
    let home = tempfile::tempdir().unwrap();
    let fake = FakeHub::start(2);
    let path =
        fake.hub(home.path()).pull_entry(entry(&content_sha256()), None, &mut quietly).unwrap();
    assert_eq!(fs::read(&path).unwrap(), content());
    // Starting over each time would take 1.5 + 1.5 + 3 MB.
    let sent = fake.sent.load(Ordering::SeqCst);
    assert!(sent < 6_000_000, "{sent} bytes were sent");
    assert!(!path.with_file_name(PARTIAL).exists());
}

#[test]
fn a_pull_that_is_stopped_leaves_no_model_and_the_next_one_completes() {
    let home = tempfile::tempdir().unwrap();
    let fake = FakeHub::start(0);
    let hub = fake.hub(home.path());
    let stopped = hub.pull_entry(entry(&content_sha256()), None, &mut |progress| {
        if progress.stage == Stage::Verifying {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    assert!(matches!(stopped, Err(Error::Stopped { .. })), "{stopped:?}");
    assert!(hub.present(entry(&content_sha256())).is_none());
    let path = hub.pull_entry(entry(&content_sha256()), None, &mut quietly).unwrap();
    assert_eq!(fs::read(path).unwrap(), content());
}

#[test]
fn wrong_bytes_are_refused_by_name_and_not_kept() {
    let home = tempfile::tempdir().unwrap();
    let fake = FakeHub::start(0);
    let hub = fake.hub(home.path());
    let wrong = "0".repeat(64);
    let refused = hub.pull_entry(entry(&wrong), None, &mut quietly);
    let Err(Error::WrongBytes { found, expected, .. }) = refused else { panic!("{refused:?}") };
    assert_eq!((found, expected), (content_sha256(), wrong.clone()));
    assert!(hub.present(entry(&wrong)).is_none());
}

#[test]
fn a_file_cut_short_after_the_pull_is_no_longer_a_model() {
    let home = tempfile::tempdir().unwrap();
    let fake = FakeHub::start(0);
    let hub = fake.hub(home.path());
    let path = hub.pull_entry(entry(&content_sha256()), None, &mut quietly).unwrap();
    fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(1_000).unwrap();
    assert!(hub.present(entry(&content_sha256())).is_none());
    let path = hub.pull_entry(entry(&content_sha256()), None, &mut quietly).unwrap();
    assert_eq!(fs::metadata(path).unwrap().len(), 3_000_000);
}

#[test]
fn a_refusal_names_every_source_and_the_way_out() {
    let home = tempfile::tempdir().unwrap();
    let hub = Hub { models: home.path().join("models"), endpoint: "http://127.0.0.1:9".into() };
    let refused = hub.pull_entry(entry(&content_sha256()), None, &mut quietly).unwrap_err();
    let text = refused.to_string();
    assert!(text.contains("tried Hugging Face someone/tiny: cannot reach 127.0.0.1:9"), "{text}");
    assert!(text.contains("polymath model pull tiny --from PATH"), "{text}");
}

#[test]
fn a_local_file_is_copied_and_checked() {
    let home = tempfile::tempdir().unwrap();
    let hub = Hub { models: home.path().join("models"), endpoint: "http://127.0.0.1:9".into() };
    let file = home.path().join("anything.gguf");
    fs::write(&file, content()).unwrap();
    let path = hub.pull_entry(entry(&content_sha256()), Some(&file), &mut quietly).unwrap();
    assert_eq!(fs::read(path).unwrap(), content());
    assert!(file.exists(), "the owner's file stays");
    fs::write(&file, b"something else").unwrap();
    let refused = hub.pull_entry(entry(&content_sha256()), Some(&file), &mut quietly);
    assert!(matches!(refused, Err(Error::WrongBytes { .. })), "{refused:?}");
}

#[test]
fn a_misspelt_name_is_answered_with_the_one_meant() {
    let home = tempfile::tempdir().unwrap();
    let refused = Hub::new(home.path()).resolve("SmolLM2_135M").unwrap_err().to_string();
    assert!(refused.contains("did you mean `smollm2-135m`?"), "{refused}");
}
