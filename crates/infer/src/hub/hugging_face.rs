//! Files of the Hugging Face hub, through `hf-hub` (resumes by itself; honours `HF_ENDPOINT` and `HF_HOME`).

use std::net::{TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::time::Duration;

use hf_hub::api::sync::{ApiBuilder, ApiError};
use hf_hub::{Cache, Repo, RepoType};

use super::{Refusal, Stage};

pub(super) struct Arrived {
    pub path: PathBuf,
    /// The hash the hub states for the file, where it states one (large files).
    pub sha256: Option<String>,
}

/// Fetches one file below `partial`, continuing an earlier attempt.
pub(super) fn fetch(
    endpoint: &str,
    repo: &str,
    revision: &str,
    path: &str,
    partial: &Path,
    report: &mut dyn FnMut(Stage, u64, Option<u64>) -> Result<(), Refusal>,
) -> Result<Arrived, Refusal> {
    report(Stage::Connecting, 0, None)?;
    reachable(endpoint)?;
    let repository = Repo::with_revision(repo.into(), RepoType::Model, revision.into());
    let api = ApiBuilder::from_env()
        .with_endpoint(endpoint.into())
        .with_cache_dir(partial.join("hub"))
        .with_token(Cache::from_env().token())
        .with_retries(3)
        .build()
        .map_err(|error| Refusal::TryNext(reason(&error)))?;
    let mut stopped = None;
    let watcher = Watcher { report, stopped: &mut stopped, done: 0, total: 0 };
    let pointer = api
        .repo(repository)
        .download_with_progress(path, watcher)
        .map_err(|error| Refusal::TryNext(reason(&error)))?;
    if let Some(refusal) = stopped {
        return Err(refusal);
    }
    // The pointer is a link into `blobs/`, whose name is the hub's own hash of the content.
    let blob = pointer.canonicalize().unwrap_or(pointer);
    let stated = blob.file_name().and_then(|name| name.to_str()).filter(|name| is_sha256(name));
    let sha256 = stated.map(str::to_owned);
    Ok(Arrived { path: blob, sha256 })
}

/// Passes `hf-hub`'s progress on. It offers no way to stop, so a wish to stop is honoured after the file.
struct Watcher<'a> {
    report: &'a mut dyn FnMut(Stage, u64, Option<u64>) -> Result<(), Refusal>,
    stopped: &'a mut Option<Refusal>,
    done: u64,
    total: u64,
}

impl hf_hub::api::Progress for Watcher<'_> {
    fn init(&mut self, size: usize, _filename: &str) {
        self.total = size as u64;
        self.done = 0;
    }

    fn update(&mut self, size: usize) {
        self.done += size as u64;
        if self.stopped.is_none() {
            *self.stopped = (self.report)(Stage::Downloading, self.done, Some(self.total)).err();
        }
    }

    fn finish(&mut self) {}
}

/// Fails within seconds where there is no way to the hub: `hf-hub` itself sets no connection timeout.
/// Behind a proxy the host cannot be reached directly, and the question is left to the client.
fn reachable(endpoint: &str) -> Result<(), Refusal> {
    let proxied =
        ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"]
            .iter()
            .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()));
    if proxied {
        return Ok(());
    }
    let (scheme, rest) = endpoint.split_once("://").unwrap_or(("https", endpoint));
    let authority = rest.split('/').next().unwrap_or(rest);
    let with_port = match authority.rsplit_once(':') {
        Some((_, port)) if port.parse::<u16>().is_ok() => authority.to_owned(),
        _ => format!("{authority}:{}", if scheme == "http" { 80 } else { 443 }),
    };
    let refuse =
        |error: std::io::Error| Refusal::TryNext(format!("cannot reach {authority}: {error}"));
    let mut last = None;
    for address in with_port.to_socket_addrs().map_err(refuse)? {
        match TcpStream::connect_timeout(&address, Duration::from_secs(5)) {
            Ok(_) => return Ok(()),
            Err(error) => last = Some(error),
        }
    }
    Err(Refusal::TryNext(match last {
        Some(error) => format!("cannot reach {authority}: {error}"),
        None => format!("{authority} has no address"),
    }))
}

/// One line a person can act on; the library's own text repeats the address and the type names.
fn reason(error: &ApiError) -> String {
    let text = error.to_string();
    match text.as_str() {
        text if text.contains("401") || text.contains("403") => {
            "the hub wants a login or an accepted licence; set HF_TOKEN after accepting it".into()
        }
        text if text.contains("404") => "the hub has no such file".into(),
        text => text.lines().next().unwrap_or("unknown error").to_owned(),
    }
}

fn is_sha256(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}
