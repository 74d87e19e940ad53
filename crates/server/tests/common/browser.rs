//! A browser under test: headless Chromium through `chromedriver`, spoken to in plain WebDriver.
//!
//! Waiting is the browser's: elements are looked for until they are there, conditions are watched frame by frame.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

pub struct Browser {
    driver: Child,
    port: u16,
    session: String,
    _said: BufReader<std::process::ChildStdout>,
    _profile: tempfile::TempDir,
}

/// Name under which WebDriver hands out elements.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

impl Browser {
    /// `None`, with a message, when `chromedriver` is not installed.
    pub fn start(width: u32, height: u32) -> Option<Browser> {
        let started = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut driver = match started {
            Ok(driver) => driver,
            Err(error) => {
                eprintln!(
                    "skipped: chromedriver cannot be started ({error}); install it (Debian: chromium-driver)"
                );
                return None;
            }
        };
        // It first says the port it was told (0), then the one it found. The pipe stays open for what else it says.
        let mut said = BufReader::new(driver.stdout.take().unwrap());
        let port = said
            .by_ref()
            .lines()
            .map_while(Result::ok)
            .filter_map(|line| {
                line.split_once("on port ")?.1.trim_end_matches('.').trim().parse::<u16>().ok()
            })
            .find(|port| *port != 0)
            .expect("chromedriver says on which port it listens");
        let profile = tempfile::tempdir().unwrap();
        let mut browser =
            Browser { driver, port, session: String::new(), _said: said, _profile: profile };
        let arguments = [
            "--headless".to_string(),
            "--no-sandbox".into(),
            "--disable-gpu".into(),
            "--no-first-run".into(),
            "--disable-background-networking".into(),
            "--disable-component-update".into(),
            "--disable-sync".into(),
            // What is fading in has neither its colours nor its text yet.
            "--force-prefers-reduced-motion".into(),
            format!("--user-data-dir={}", browser._profile.path().display()),
            format!("--window-size={width},{height}"),
        ];
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
            "goog:chromeOptions": { "args": arguments },
            "timeouts": { "implicit": 20_000, "script": 20_000 },
        } } });
        let session = browser.request("POST", "/session", Some(wanted));
        browser.session = format!("/session/{}", session["sessionId"].as_str().expect("a session"));
        Some(browser)
    }

    pub fn open(&self, address: &str) {
        self.post("/url", json!({ "url": address }));
    }

    pub fn address(&self) -> String {
        self.call("GET", "/url", None).as_str().unwrap().to_string()
    }

    pub fn click(&self, css: &str) {
        let element = self.find(css);
        self.post(&format!("/element/{element}/click"), json!({}));
    }

    pub fn type_into(&self, css: &str, text: &str) {
        let element = self.find(css);
        self.post(&format!("/element/{element}/value"), json!({ "text": text }));
    }

    /// Presses a key wherever the focus is. Special keys have code points of their own in WebDriver.
    pub fn press(&self, key: &str) {
        let actions =
            json!([{ "type": "keyDown", "value": key }, { "type": "keyUp", "value": key }]);
        self.post(
            "/actions",
            json!({ "actions": [{ "type": "key", "id": "keys", "actions": actions }] }),
        );
    }

    pub fn hover(&self, css: &str) {
        let origin = json!({ ELEMENT: self.find(css) });
        let step =
            json!({ "type": "pointerMove", "duration": 0, "origin": origin, "x": 0, "y": 0 });
        let mouse = json!({ "type": "pointer", "id": "mouse", "parameters": { "pointerType": "mouse" }, "actions": [step] });
        self.post("/actions", json!({ "actions": [mouse] }));
    }

    pub fn text(&self, css: &str) -> String {
        let element = self.find(css);
        self.call("GET", &format!("/element/{element}/text"), None).as_str().unwrap().to_string()
    }

    /// The value of an expression in the page.
    pub fn evaluate(&self, expression: &str) -> Value {
        self.post("/execute/sync", json!({ "script": format!("return {expression}"), "args": [] }))
    }

    /// Runs a script in the page, beside its own.
    pub fn run(&self, script: &str) {
        self.post("/execute/sync", json!({ "script": script, "args": [] }));
    }

    /// What a promise in the page becomes.
    pub fn wait_value(&self, promise: &str) -> Value {
        let script = format!(
            "const done = arguments[0]; ({promise}).then(done, error => done(String(error)))"
        );
        self.post("/execute/async", json!({ "script": script, "args": [] }))
    }

    /// Watches an expression, frame by frame, until it is true; panics after twenty seconds.
    pub fn wait_for(&self, expression: &str) {
        let script = format!(
            "const done = arguments[0]; const look = () => ({expression}) ? done(true) : requestAnimationFrame(look); look();"
        );
        self.post("/execute/async", json!({ "script": script, "args": [] }));
    }

    /// What the page complained of.
    pub fn complaints(&self) -> Vec<String> {
        let log = self.post("/se/log", json!({ "type": "browser" }));
        log.as_array().unwrap().iter().map(|entry| entry["message"].to_string()).collect()
    }

    /// The same, without what every browser logs when a server refuses a request.
    pub fn complaints_but_refusals(&self) -> Vec<String> {
        let refusal = |line: &String| line.contains("status of 400");
        self.complaints().into_iter().filter(|line| !refusal(line)).collect()
    }

    /// Every address that the page asked the network for.
    pub fn requests(&self) -> Vec<String> {
        let log = self.post("/se/log", json!({ "type": "performance" }));
        let message =
            |entry: &Value| serde_json::from_str::<Value>(entry["message"].as_str()?).ok();
        let messages = log.as_array().unwrap().iter().filter_map(message);
        messages
            .filter(|message| message["message"]["method"] == "Network.requestWillBeSent")
            .map(|message| {
                message["message"]["params"]["request"]["url"].as_str().unwrap().to_string()
            })
            .collect()
    }

    fn find(&self, css: &str) -> String {
        let found = self.post("/element", json!({ "using": "css selector", "value": css }));
        found[ELEMENT].as_str().unwrap().to_string()
    }

    fn post(&self, path: &str, body: Value) -> Value {
        self.call("POST", path, Some(body))
    }

    fn call(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        self.request(method, &format!("{}{path}", self.session), body)
    }

    fn request(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        let body = body.map_or(String::new(), |body| body.to_string());
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
        let reply = super::reply::Reply::parse(&read_counted(stream));
        assert_eq!(reply.status, 200, "{method} {path}: {}", reply.text());
        reply.json()["value"].clone()
    }
}

/// A whole reply by its `content-length`: chromedriver does not hang up.
fn read_counted(stream: TcpStream) -> Vec<u8> {
    let mut reader = BufReader::new(stream);
    let (mut raw, mut length) = (Vec::new(), 0);
    while !raw.ends_with(b"\r\n\r\n") {
        let start = raw.len();
        assert_ne!(reader.read_until(b'\n', &mut raw).unwrap(), 0, "chromedriver hung up");
        let line = String::from_utf8_lossy(&raw[start..]).to_lowercase();
        if let Some(count) = line.strip_prefix("content-length:") {
            length = count.trim().parse().unwrap();
        }
    }
    let head = raw.len();
    raw.resize(head + length, 0);
    reader.read_exact(&mut raw[head..]).unwrap();
    raw
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() && !std::thread::panicking() {
            self.request("DELETE", &self.session.clone(), None);
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
