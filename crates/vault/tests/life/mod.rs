//! A throw-away life: a folder of files and the vault that reads it.

#![allow(dead_code, unreachable_pub)] // each test file uses its own part

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use vault::search::{Found, Query};
use vault::store::Vault;
use vault::store::sync::SyncReport;

pub struct Life {
    pub dir: tempfile::TempDir,
    pub vault: Vault,
}

impl Life {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("files")).unwrap();
        let vault = Vault::open(&dir.path().join("vault")).unwrap();
        vault.add(&dir.path().join("files")).unwrap();
        Self { dir, vault }
    }

    /// Two mails and a note, synced.
    pub fn small(self) -> Self {
        let first = "I have the ferry tickets for Lisbon.\nShall we meet at the harbour?";
        self.mail("mail/1.eml", "Anna Meier", "Ben Okafor", "Lisbon trip", "1", None, first);
        let second = "Good! I will bring the map of Lisbon.";
        self.mail(
            "mail/2.eml",
            "Ben Okafor",
            "Anna Meier",
            "Re: Lisbon trip",
            "2",
            Some("1"),
            second,
        );
        self.write("notes/Packing.md", "# Packing\n\nFor Lisbon: sun cream, the red hat.");
        self.sync();
        self
    }

    pub fn files(&self) -> PathBuf {
        self.dir.path().join("files")
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.files().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Message `id` is dated on day `1 + id` of June 2026, 09:00 UTC.
    #[allow(clippy::too_many_arguments)]
    pub fn mail(
        &self,
        path: &str,
        from: &str,
        to: &str,
        subject: &str,
        id: &str,
        answers: Option<&str>,
        text: &str,
    ) {
        let address = |name: &str| name.to_lowercase().replace(' ', ".");
        let day = 1 + id.parse::<u32>().unwrap();
        let answers =
            answers.map_or(String::new(), |id| format!("In-Reply-To: <{id}@example.org>\r\n"));
        self.write(
            path,
            &format!(
                "From: {from} <{}@example.org>\r\nTo: {to} <{}@example.org>\r\nSubject: {subject}\r\n\
                 Date: {day:02} Jun 2026 09:00:00 +0000\r\nMessage-ID: <{id}@example.org>\r\n{answers}\
                 Content-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n",
                address(from),
                address(to),
            ),
        );
    }

    pub fn sync(&self) -> SyncReport {
        self.vault.sync(None, &AtomicBool::new(false), &mut |_| {}).unwrap()
    }

    pub fn search(&self, text: &str) -> Found {
        let query = Query { text: text.into(), ..Query::default() };
        self.vault.search(&query, None).unwrap()
    }

    pub fn titles(&self, text: &str) -> Vec<String> {
        self.search(text).hits.into_iter().map(|hit| hit.title).collect()
    }
}
