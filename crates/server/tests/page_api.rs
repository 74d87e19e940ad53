//! What the page is told, and that no request takes the server down.

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;

use common::Running;
use serde_json::json;

#[test]
fn an_answer_streams_its_sources_before_its_sentence() {
    let running = Running::start();
    let visitor = running.sign_in();
    let reply = visitor
        .post("/api/sample/ask", &json!({ "question": "Where do we stay in Lisbon?" }).to_string());
    let events: Vec<String> =
        reply.lines().iter().map(|line| line["event"].as_str().unwrap().to_string()).collect();
    assert_eq!(events[..2], ["reading", "sources"]);
    assert!(events[2..events.len() - 1].iter().all(|event| event == "text"), "{events:?}");
    assert_eq!(events.last().unwrap(), "done");
    let done = &reply.lines().last().unwrap()["data"].clone();
    assert_eq!(done["sources"][0]["number"], 1);
    let (start, end) = (
        done["sources"][0]["start"].as_u64().unwrap(),
        done["sources"][0]["end"].as_u64().unwrap(),
    );
    let item = visitor.get("/api/sample/item/3").json();
    let quoted = &item["text"].as_str().unwrap()[start as usize..end as usize];
    assert_eq!(quoted, done["sources"][0]["quote"].as_str().unwrap());
}

#[test]
fn mail_html_arrives_without_scripts_or_remote_pictures_and_shows_where_links_lead() {
    let running = Running::start();
    let html = running.sign_in().get("/api/sample/item/1/html").text();
    assert!(!html.contains("<script") && !html.contains("tracker.example"), "{html}");
    assert!(html.contains("(heating.example)"), "{html}");
}

#[test]
fn an_original_is_always_a_download() {
    let running = Running::start();
    let reply = running.sign_in().get("/api/sample/item/1/original");
    assert!(reply.header("content-disposition").unwrap().starts_with("attachment"));
    assert_eq!(reply.header("content-type"), Some("application/octet-stream"));
}

#[test]
fn the_page_is_sent_once_and_then_only_confirmed() {
    let running = Running::start();
    let first = running.get("/web/js/app.js", &[]);
    let etag = first.header("etag").unwrap().to_string();
    let second = running.get("/web/js/app.js", &[("if-none-match", &etag)]);
    assert_eq!((second.status, second.body.len()), (304, 0));
    assert_eq!(running.get("/web/../Cargo.toml", &[]).status, 404);
}

#[test]
fn a_folder_that_is_not_there_is_refused_with_the_way_out() {
    let running = Running::start();
    let visitor = running.sign_in();
    let reply = visitor.post("/api/vault/add", &json!({ "path": "/no/such/folder" }).to_string());
    assert_eq!(reply.status, 400);
    assert!(reply.json()["error"].as_str().unwrap().contains("check the spelling"));
    let relative = visitor.post("/api/vault/add", &json!({ "path": "Documents" }).to_string());
    assert!(relative.json()["error"].as_str().unwrap().contains("whole path"));
}

#[test]
fn a_dropped_file_keeps_its_name_and_stays_in_its_folder() {
    let running = Running::start();
    let visitor = running.sign_in();
    assert_eq!(visitor.post("/api/vault/upload?name=..%2F..%2Fnote.md", "# Hi").status, 200);
    assert_eq!(std::fs::read_to_string(running.folder.path().join("note.md")).unwrap(), "# Hi");
    assert_eq!(std::fs::read_dir(running.folder.path()).unwrap().count(), 1);
}

#[test]
fn settings_are_kept() {
    let running = Running::start();
    let visitor = running.sign_in();
    visitor.post("/api/settings", &json!({ "theme": "dark", "owner": "Mira" }).to_string());
    assert_eq!(visitor.get("/api/state").json()["settings"]["theme"], "dark");
}

#[test]
fn wrong_requests_are_answered_and_the_next_right_one_too() {
    let running = Running::start();
    let visitor = running.sign_in();
    let long = "x".repeat(9_000);
    for (path, body) in [
        ("/api/sample/ask", "{"),
        ("/api/sample/ask", "[1,2,3]"),
        ("/api/sample/ask", r#"{"question":"  "}"#),
        ("/api/sample/ask", &json!({ "question": long }).to_string()),
        ("/api/nobody/ask", r#"{"question":"x"}"#),
        ("/api/models/select", r#"{"name":"no such"}"#),
    ] {
        let status = visitor.post(path, body).status;
        assert!((400..500).contains(&status), "{path} {body:.40}: {status}");
    }
    assert_eq!(visitor.get("/api/sample/item/99").status, 404);
    assert_eq!(visitor.get("/api/sample/item/abc").status, 400);
    assert_eq!(visitor.get("/api/nothing").status, 404);
    assert_eq!(visitor.get("/api/state").status, 200);
}

#[test]
fn bytes_that_are_no_request_harm_nobody() {
    let running = Running::start();
    let long_header = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "a".repeat(2 << 20));
    for bytes in
        [b"\x16\x03\x01\x02\x00".as_slice(), b"GET\r\n\r\n", &[0xff; 4096], long_header.as_bytes()]
    {
        let mut stream = TcpStream::connect(running.addr()).unwrap();
        // The server may hang up while we write; that is its right.
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let _ = stream.read_to_end(&mut Vec::new());
    }
    let mut left = TcpStream::connect(running.addr()).unwrap();
    left.write_all(b"POST /api/session HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nhalf")
        .unwrap();
    drop(left);
    assert_eq!(running.sign_in().get("/api/state").status, 200);
}

#[test]
fn a_body_beyond_the_limit_is_refused() {
    let running = Running::start();
    let body = format!("{{\"question\":\"{}\"}}", "x".repeat(9 << 20));
    assert_eq!(running.sign_in().post("/api/sample/ask", &body).status, 413);
}

#[test]
fn shutting_down_ends() {
    let running = Running::start();
    let addr = running.addr();
    running.stop();
    assert!(TcpStream::connect(addr).is_err());
}

/// Puts the made-up run of golden/ledger, or the first lines of its journal, into the house.
fn put_run(running: &Running, name: &str, lines: usize) {
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/../../golden/ledger/journal.jsonl");
    let text = std::fs::read_to_string(golden).unwrap();
    let kept: String = text.lines().take(lines).map(|line| format!("{line}\n")).collect();
    let folder = running.folder.path().join("runs").join(name);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("journal.jsonl"), kept).unwrap();
}

#[test]
fn training_runs_are_listed_with_how_far_they_are() {
    let running = Running::start();
    let visitor = running.sign_in();
    assert_eq!(visitor.get("/api/state").json()["runs"], 0);
    put_run(&running, "done", usize::MAX);
    put_run(&running, "half", 40);
    let folder = running.folder.path().join("runs/bad");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("journal.jsonl"), "{}\n").unwrap();
    assert_eq!(visitor.get("/api/state").json()["runs"], 3);
    let runs = visitor.get("/api/runs").json();
    let told = |name: &str| {
        let runs = runs.as_array().unwrap();
        runs.iter().find(|run| run["name"] == name).unwrap().clone()
    };
    assert_eq!((&told("done")["state"], &told("done")["step"]), (&json!("finished"), &json!(60)));
    assert_eq!(told("half")["of_steps"], 60);
    assert_eq!(told("bad")["state"], "unreadable");
    assert!(told("bad")["note"].as_str().unwrap().contains("line 1"));
}

#[test]
fn a_report_is_a_page_that_may_run_nothing_and_comes_again_while_the_run_goes_on() {
    let running = Running::start();
    put_run(&running, "half", 40);
    put_run(&running, "done", usize::MAX);
    let visitor = running.sign_in();
    for run in visitor.get("/api/runs").json().as_array().unwrap() {
        let path = format!("/api/runs/{}/report", run["id"].as_str().unwrap());
        assert_eq!(running.get(&path, &[]).status, 401, "a stranger sees no run");
        let reply = visitor.get(&path);
        assert_eq!(reply.header("content-type"), Some("text/html; charset=utf-8"));
        assert!(
            reply
                .header("content-security-policy")
                .unwrap()
                .starts_with("default-src 'none'; style-src")
        );
        let page = reply.text();
        assert!(page.contains("Training loss"));
        let again = page.contains("http-equiv=\"refresh\"");
        assert_eq!(again, run["name"] == "half");
    }
    for path in
        ["/api/runs/../report", "/api/runs/0000000000000000/report", "/api/runs/%2e%2e%2f/report"]
    {
        assert_eq!(visitor.get(path).status, 404, "{path}");
    }
}
