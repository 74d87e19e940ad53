//! Whatever stands in a request's body, it is answered, and the server lives on: a real engine, thousands of bodies.

mod common;

use std::path::Path;

use common::Running;
use common::changes::{Choices, change, damage};
use common::requests;

/// Bodies; more when asked for.
const BODIES: usize = 1500;

#[test]
fn no_body_takes_the_server_down() {
    let folder = tempfile::tempdir().unwrap();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../golden");
    let running = Running::house(&requests::model(&golden, folder.path()));
    let json = ("content-type", "application/json");
    let sound = requests::sound();
    for (path, body) in &sound[..sound.len() - 1] {
        let reply = running.send("POST", path, &[json], &body.to_string());
        assert_eq!(reply.status, 200, "{path} {body}: {}", reply.text());
    }
    let bodies = std::env::var("POLYMATH_TEST_BODIES").ok().and_then(|n| n.parse().ok());
    let mut choices = Choices(1);
    let mut answered = [0; 2];
    for i in 0..bodies.unwrap_or(BODIES) {
        let (path, body) = &sound[choices.below(sound.len())];
        let mut body = body.clone();
        for _ in 0..1 + choices.below(3) {
            change(&mut body, &mut choices);
        }
        let mut bytes = body.to_string().into_bytes();
        if choices.below(4) == 0 {
            damage(&mut bytes, &mut choices);
        }
        let reply = running.send_bytes("POST", path, &[json], &bytes);
        let shown = String::from_utf8_lossy(&bytes);
        let shown = shown.chars().take(600).collect::<String>();
        assert!((200..500).contains(&reply.status), "body {i}: {} for {shown}", reply.status);
        answered[usize::from(reply.status != 200)] += 1;
    }
    // Neither all refused nor all taken: the bodies are near sound ones.
    assert!(answered.iter().all(|&n| n > 20), "{answered:?}");
    let (path, body) = &sound[0];
    let reply = running.send("POST", path, &[json], &body.to_string());
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(running.get("/health", &[]).status, 200);
    running.stop();
}
