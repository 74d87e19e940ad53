//! What the tests share: a server around the house in memory, and a client that sends exactly what it is told.
#![allow(dead_code, unreachable_pub)]

pub mod browser;
pub mod changes;
pub mod echo;
pub mod reply;
pub mod requests;
pub mod sample;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

pub use reply::Reply;
use server::backend::Backend;
use server::house::{House, HouseOptions};
use server::openai::Models;
use server::{ServeOptions, Server};

/// A server on a free port, with the runtime it lives in.
pub struct Running {
    pub server: Server,
    pub folder: tempfile::TempDir,
    runtime: tokio::runtime::Runtime,
}

impl Running {
    pub fn start() -> Running {
        Self::start_with(&[])
    }

    pub fn start_with(api_keys: &[&str]) -> Running {
        Self::start_at("127.0.0.1:0", api_keys)
    }

    pub fn start_at(addr: &str, api_keys: &[&str]) -> Running {
        let folder = tempfile::tempdir().unwrap();
        let backend = Arc::new(sample::SampleHouse::new(folder.path()));
        Self::serve(folder, |_| (backend, Arc::new(echo::EchoModels)), addr, api_keys)
    }

    /// The real house with a real model.
    pub fn house(model: &Path) -> Running {
        let folder = tempfile::tempdir().unwrap();
        let open = |home: &Path| {
            let options = HouseOptions {
                home: home.into(),
                vault: home.join("vault"),
                sample: None,
                model: Some(model.display().to_string()),
                draft: None,
                fetch: false,
                n_threads: 1,
                runs: vec![],
                gate: None,
            };
            let house = House::open(options).unwrap();
            (house.clone() as Arc<dyn Backend>, house as Arc<dyn Models>)
        };
        Self::serve(folder, open, "127.0.0.1:0", &[])
    }

    fn serve(
        folder: tempfile::TempDir,
        open: impl FnOnce(&Path) -> (Arc<dyn Backend>, Arc<dyn Models>),
        addr: &str,
        api_keys: &[&str],
    ) -> Running {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let (backend, models) = open(folder.path());
        let options = ServeOptions {
            addr: addr.parse().unwrap(),
            backend,
            models,
            api_keys: api_keys.iter().map(|key| key.to_string()).collect(),
        };
        let server = runtime.block_on(server::serve(options)).unwrap();
        Running { server, folder, runtime }
    }

    pub fn addr(&self) -> SocketAddr {
        self.server.addr()
    }

    pub fn host(&self) -> String {
        self.addr().to_string()
    }

    /// The path and query of the printed address.
    pub fn entrance(&self) -> String {
        self.server.address().split_once(&self.host()).unwrap().1.to_string()
    }

    /// Sends a request with these headers beside `Host` and `Connection: close`.
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        self.send_bytes(method, path, headers, body.as_bytes())
    }

    /// The same with a body that may be no text.
    pub fn send_bytes(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Reply {
        let mut all = vec![("host", self.host())];
        all.extend(headers.iter().map(|(name, value)| (*name, value.to_string())));
        // A later `host` replaces the first, so that a test can lie about it.
        if headers.iter().any(|(name, _)| *name == "host") {
            all.remove(0);
        }
        let mut request = format!(
            "{method} {path} HTTP/1.1\r\nconnection: close\r\ncontent-length: {}\r\n",
            body.len()
        );
        all.iter().for_each(|(name, value)| request.push_str(&format!("{name}: {value}\r\n")));
        request.push_str("\r\n");
        let mut stream = TcpStream::connect(self.addr()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream.write_all(&[request.as_bytes(), body].concat()).unwrap();
        let mut raw = Vec::new();
        stream.read_to_end(&mut raw).unwrap();
        Reply::parse(&raw)
    }

    pub fn get(&self, path: &str, headers: &[(&str, &str)]) -> Reply {
        self.send("GET", path, headers, "")
    }

    /// Comes in as a browser does: token, cookie, key.
    pub fn sign_in(&self) -> Visitor<'_> {
        let entered = self.get(&self.entrance(), &[]);
        let cookie = entered.header("set-cookie").unwrap().split(';').next().unwrap().to_string();
        let reply = self.send("POST", "/api/session", &[("cookie", &cookie)], "");
        let key = reply.json()["key"].as_str().unwrap().to_string();
        Visitor { running: self, cookie, key }
    }

    pub fn stop(self) {
        self.runtime.block_on(self.server.shutdown());
    }
}

pub struct Visitor<'a> {
    running: &'a Running,
    pub cookie: String,
    pub key: String,
}

impl Visitor<'_> {
    pub fn get(&self, path: &str) -> Reply {
        self.running.get(path, &[("cookie", &self.cookie), ("x-polymath-key", &self.key)])
    }

    pub fn post(&self, path: &str, body: &str) -> Reply {
        let headers = [
            ("cookie", self.cookie.as_str()),
            ("x-polymath-key", &self.key),
            ("content-type", "application/json"),
        ];
        self.running.send("POST", path, &headers, body)
    }
}

/// The source of `axe-core`, which `scripts/test` fetches.
pub fn accessibility_rules() -> Option<String> {
    let fetched = concat!(env!("CARGO_MANIFEST_DIR"), "/../../.cache/axe/axe.min.js");
    let path = std::env::var("POLYMATH_TEST_AXE").unwrap_or_else(|_| fetched.to_owned());
    let rules = std::fs::read_to_string(&path);
    if rules.is_err() {
        eprintln!("skipped: {path} is not there; scripts/test fetches axe-core");
    }
    rules.ok()
}

/// What was asked of anybody but our server. The browser's own start page (`chrome:`, `data:`) asks nobody.
pub fn requests_elsewhere(browser: &browser::Browser, running: &Running) -> Vec<String> {
    let origin = format!("http://{}/", running.host());
    let inside = |url: &String| {
        url.starts_with(&origin) || url.starts_with("chrome") || url.starts_with("data:")
    };
    browser.requests().into_iter().filter(|url| !inside(url)).collect()
}
