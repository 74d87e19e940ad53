//! Who gets in: nobody without the printed address, no other page, no other name.

mod common;

use common::Running;

#[test]
fn the_printed_address_swaps_its_token_for_a_cookie_and_leaves_the_address_bar() {
    let running = Running::start();
    let reply = running.get(&running.entrance(), &[]);
    assert_eq!((reply.status, reply.header("location")), (303, Some("/")));
    let cookie = reply.header("set-cookie").unwrap();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    let token = running.entrance().split_once('=').unwrap().1.to_string();
    assert!(!cookie.contains(&token), "the cookie must not be the token");
}

#[test]
fn a_stranger_sees_the_door_and_no_data() {
    let running = Running::start();
    let door = running.get("/", &[]);
    assert_eq!(door.status, 401);
    assert!(door.text().contains("printed in the terminal"));
    let wrong = running.get("/?token=0000", &[]);
    assert_eq!((wrong.status, wrong.header("set-cookie")), (401, None));
    for path in
        ["/api/state", "/api/sample/search?q=a", "/api/sample/item/1", "/api/sample/item/1/html"]
    {
        assert_eq!(running.get(path, &[]).status, 401, "{path}");
    }
}

#[test]
fn a_cookie_alone_opens_nothing_because_other_ports_are_sent_it_too() {
    let running = Running::start();
    let visitor = running.sign_in();
    assert_eq!(visitor.get("/api/state").status, 200);
    let cookie = [("cookie", visitor.cookie.as_str())];
    assert_eq!(running.get("/api/state", &cookie).status, 401);
    // The key is given out once per cookie.
    assert_eq!(running.send("POST", "/api/session", &cookie, "").status, 401);
    // And it is bound to its own cookie.
    let other = running.sign_in();
    let mixed = [("cookie", other.cookie.as_str()), ("x-polymath-key", visitor.key.as_str())];
    assert_eq!(running.get("/api/state", &mixed).status, 401);
}

#[test]
fn a_rebound_name_is_refused_everywhere() {
    let running = Running::start();
    let visitor = running.sign_in();
    let port = running.addr().port();
    for host in [
        "evil.example".into(),
        format!("evil.example:{port}"),
        format!("127.0.0.1.evil.example:{port}"),
        "127.0.0.1".into(),
    ] {
        let headers = [
            ("host", host.as_str()),
            ("cookie", &visitor.cookie),
            ("x-polymath-key", &visitor.key),
        ];
        for path in ["/", "/api/state", "/v1/models", "/web/js/app.js"] {
            assert_eq!(running.get(path, &headers).status, 403, "{host} {path}");
        }
    }
    let localhost = format!("localhost:{port}");
    assert_eq!(running.get("/v1/models", &[("host", &localhost)]).status, 200);
}

#[test]
fn other_web_pages_are_refused_even_those_of_other_local_ports() {
    let running = Running::start();
    let visitor = running.sign_in();
    let host = running.host();
    let own = format!("http://{host}");
    for origin in [
        "https://evil.example",
        "null",
        "http://127.0.0.1:1",
        &format!("https://{host}"),
        &format!("http://{host}.evil.example"),
    ] {
        let headers =
            [("origin", origin), ("cookie", &visitor.cookie), ("x-polymath-key", &visitor.key)];
        for path in ["/api/state", "/v1/models"] {
            assert_eq!(running.get(path, &headers).status, 403, "{origin} {path}");
        }
    }
    let headers =
        [("origin", own.as_str()), ("cookie", &visitor.cookie), ("x-polymath-key", &visitor.key)];
    assert_eq!(running.get("/api/state", &headers).status, 200);
    for site in ["cross-site", "same-site"] {
        let headers = [
            ("sec-fetch-site", site),
            ("cookie", &visitor.cookie),
            ("x-polymath-key", &visitor.key),
        ];
        assert_eq!(running.get("/api/state", &headers).status, 403, "{site}");
    }
}

#[test]
fn a_key_in_the_address_works_for_reading_but_never_for_changing() {
    let running = Running::start();
    let visitor = running.sign_in();
    let cookie = [("cookie", visitor.cookie.as_str()), ("content-type", "application/json")];
    let frame = format!("/api/sample/item/1/html?key={}", visitor.key);
    assert_eq!(running.get(&frame, &cookie).status, 200);
    let change = format!("/api/settings?key={}", visitor.key);
    assert_eq!(running.send("POST", &change, &cookie, "{}").status, 401);
}

#[test]
fn a_configured_key_is_needed_for_v1_and_for_nothing_else() {
    let running = Running::start_with(&["first-key", "second-key"]);
    assert_eq!(running.get("/v1/models", &[]).status, 401);
    let wrong = running.get("/v1/models", &[("authorization", "Bearer third-key")]);
    assert_eq!(wrong.json()["error"]["code"], "invalid_api_key");
    for key in ["Bearer first-key", "Bearer second-key"] {
        assert_eq!(running.get("/v1/models", &[("authorization", key)]).status, 200);
    }
    assert_eq!(running.sign_in().get("/api/state").status, 200);
}

#[test]
fn only_loopback_can_be_bound() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let options = server::ServeOptions {
        addr: "0.0.0.0:0".parse().unwrap(),
        backend: std::sync::Arc::new(common::sample::SampleHouse::new(folder.path())),
        models: std::sync::Arc::new(common::echo::EchoModels),
        api_keys: Vec::new(),
    };
    let error = runtime.block_on(server::serve(options)).err().unwrap().to_string();
    assert!(error.contains("127.0.0.1"), "{error}");
}

#[test]
fn every_response_carries_the_headers_that_keep_the_page_to_itself() {
    let running = Running::start();
    let visitor = running.sign_in();
    for reply in [
        running.get("/", &[]),
        visitor.get("/"),
        visitor.get("/web/js/app.js"),
        visitor.get("/api/state"),
        running.get("/v1/models", &[]),
    ] {
        let policy = reply.header("content-security-policy").unwrap();
        assert!(
            policy.contains("default-src 'none'") && policy.contains("script-src 'self'"),
            "{policy}"
        );
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(reply.header("referrer-policy"), Some("no-referrer"));
        assert_eq!(reply.header("cross-origin-opener-policy"), Some("same-origin"));
        assert_eq!(reply.header("access-control-allow-origin"), None);
    }
    let frame = visitor.get("/api/sample/item/1/html");
    let policy = frame.header("content-security-policy").unwrap();
    assert!(
        policy.contains("sandbox allow-popups") && !policy.contains("allow-scripts"),
        "{policy}"
    );
}
