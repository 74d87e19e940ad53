//! Any bytes as the body of a request to the OpenAI-compatible server, with a real if tiny model behind it: it is answered
//! well and in time, and the server lives on. The first byte chooses the path.
//!
//! libFuzzer's own changes hardly ever leave JSON whole, so half of them are those that the server's tests make.
//! A panic on any thread ends the program, even one that the server would have answered with a 500.
#![no_main]

#[allow(dead_code)]
#[path = "../../crates/server/tests/common/changes.rs"]
mod changes;
#[allow(dead_code)]
#[path = "../../crates/server/tests/common/reply.rs"]
mod reply;
#[allow(dead_code)]
#[path = "../../crates/server/tests/common/requests.rs"]
mod requests;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use changes::{Choices, change};
use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use reply::Reply;
use requests::PATHS;
use serde_json::Value;
use server::house::{House, HouseOptions};
use server::{ServeOptions, Server};
use tokio::runtime::Runtime;

/// The longest silence that is no hang.
const SILENCE: Duration = Duration::from_secs(30);

fuzz_target!(|bytes: &[u8]| {
    let Some((&place, body)) = bytes.split_first() else { return };
    let reply = exchange("POST", PATHS[usize::from(place) % PATHS.len()], body);
    let text = reply.text();
    assert!((200..500).contains(&reply.status), "{}: {text}", reply.status);
    if reply.header("content-type") == Some("text/event-stream") {
        // What breaks off after the status line was sent says so in its last event, or not at all.
        assert!(!text.contains(r#""type":"server_error""#), "{text}");
        assert!(
            text.ends_with("data: [DONE]\n\n") || text.contains(r#"data: {"error":"#),
            "{text}"
        );
    } else {
        assert!(serde_json::from_str::<Value>(&text).is_ok(), "no JSON: {text}");
    }
    assert_eq!(exchange("GET", "/health", b"").status, 200);
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let body = data[..size].get(1..).unwrap_or_default();
    if seed.is_multiple_of(2)
        && let Ok(mut body) = serde_json::from_slice::<Value>(body)
    {
        change(&mut body, &mut Choices(seed.into()));
        let body = body.to_string();
        if body.len() < max_size {
            data[1..=body.len()].copy_from_slice(body.as_bytes());
            return 1 + body.len();
        }
    }
    fuzzer_mutate(data, size, max_size)
});

/// Sends one request and takes its whole answer, which has to be HTTP to the last byte.
fn exchange(method: &str, path: &str, body: &[u8]) -> Reply {
    static SERVER: OnceLock<(Server, Runtime)> = OnceLock::new();
    let addr = SERVER.get_or_init(start).0.addr();
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: {addr}\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    );
    let mut stream = TcpStream::connect(addr).expect("the server takes connections");
    stream.set_read_timeout(Some(SILENCE)).expect("a socket");
    stream.write_all(&[head.as_bytes(), body].concat()).expect("the server reads");
    let mut raw = Vec::new();
    stream.read_to_end(&mut raw).expect("an answer in time");
    assert!(raw.starts_with(b"HTTP/1.1 "), "{}", raw.escape_ascii());
    let reply = Reply::parse(&raw);
    match reply.header("content-length") {
        Some(length) => assert_eq!(length, reply.body.len().to_string()),
        None => assert!(raw.ends_with(b"0\r\n\r\n"), "cut off: {}", raw.escape_ascii()),
    }
    reply
}

/// The server as `polymath serve` starts it, in a folder of its own.
fn start() -> (Server, Runtime) {
    let home = std::env::temp_dir().join(format!("polymath-fuzz-{}", std::process::id()));
    // An earlier program of this number may have left one.
    drop(std::fs::remove_dir_all(&home));
    std::fs::create_dir(&home).expect("a temporary folder");
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../golden");
    let house = House::open(HouseOptions {
        vault: home.join("vault"),
        sample: None,
        model: Some(requests::model(&golden, &home).display().to_string()),
        draft: None,
        fetch: false,
        n_threads: 1,
        runs: vec![],
        gate: None,
        home,
    });
    let house = house.expect("a house");
    let options = ServeOptions {
        addr: (Ipv4Addr::LOCALHOST, 0).into(),
        backend: house.clone(),
        models: house,
        api_keys: vec![],
    };
    let runtime = Runtime::new().expect("a runtime");
    let server = runtime.block_on(server::serve(options)).expect("a free port");
    (server, runtime)
}
