//! Who may use the server: the person at this machine, and programs on it.
//!
//! Loopback is not a wall. Any web page the owner visits can send requests to `127.0.0.1`, a hostile name can be
//! pointed at it (DNS rebinding), and other users of the machine can connect to it. So:
//!
//! - **Host** must be a loopback name with our port. A rebound name fails here.
//! - **Origin**, when sent, must be ours, and `Sec-Fetch-Site`, when sent, `same-origin` or `none`. Other web
//!   pages fail here, those of other local servers too.
//! - The printed address carries a random **token**, swapped by a redirect for a cookie (`HttpOnly`,
//!   `SameSite=Strict`), so that the token stays in no history entry and no referrer.
//! - A cookie is shared by all ports of a host: a server of another local user, once visited, would be sent ours.
//!   So the page also fetches a **key**, given out once per cookie, kept in its origin's storage, and sent with
//!   each `/api` request. A stolen cookie opens nothing. The key being a header of its own also makes forged
//!   cross-site posts impossible.
//! - `/v1` needs `Authorization: Bearer` when a key was configured. Without one, any program on this machine
//!   may use the *model*; it reaches nothing of the vault.
//!
//! Secrets are compared as SHA-256 digests without an early exit, so timing tells nothing.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use crate::Error;

/// Sent by the page with each `/api` request; a frame or download, which cannot send headers, uses `?key=`.
pub const KEY_HEADER: &str = "x-polymath-key";
const COOKIE: &str = "polymath";
/// Browsers signed in at once; the oldest is signed out beyond that.
const MAX_SESSIONS: usize = 64;

/// A secret we can check but no longer show.
struct Secret([u8; 32]);

impl Secret {
    fn of(text: &str) -> Self {
        Secret(Sha256::digest(text.as_bytes()).into())
    }

    fn matches(&self, text: &str) -> bool {
        let other = Secret::of(text);
        self.0.iter().zip(other.0).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
    }
}

/// One browser that opened the printed address.
struct Session {
    cookie: Secret,
    /// Made when the page first asks; asking again gets nothing.
    key: Option<Secret>,
}

/// The door: knows which names are ours, and who has come in.
pub struct Door {
    hosts: Vec<String>,
    token: Secret,
    api_keys: Vec<Secret>,
    sessions: Mutex<VecDeque<Session>>,
}

impl Door {
    /// A door for the bound address, and the token that opens it.
    pub fn new(addr: SocketAddr, api_keys: &[String]) -> Result<(Self, String), Error> {
        let token = random_hex()?;
        let port = addr.port();
        let hosts = ["127.0.0.1", "localhost", "[::1]"].map(|name| format!("{name}:{port}")).into();
        let door = Door {
            hosts,
            token: Secret::of(&token),
            api_keys: api_keys.iter().map(|key| Secret::of(key)).collect(),
            sessions: Mutex::default(),
        };
        Ok((door, token))
    }

    /// The cookie header for a browser that brought the token, or `None` for a wrong token.
    pub fn enter(&self, token: &str) -> Result<Option<String>, Error> {
        if !self.token.matches(token) {
            return Ok(None);
        }
        let cookie = random_hex()?;
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        if sessions.len() == MAX_SESSIONS {
            sessions.pop_front();
        }
        sessions.push_back(Session { cookie: Secret::of(&cookie), key: None });
        Ok(Some(format!("{COOKIE}={cookie}; Path=/; HttpOnly; SameSite=Strict")))
    }

    /// The key of this browser's session, the first time it is asked for.
    pub fn key(&self, headers: &HeaderMap) -> Result<Option<String>, Error> {
        let key = random_hex()?;
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = sessions.iter_mut().find(|s| s.key.is_none() && cookie_matches(s, headers));
        Ok(fresh.map(|session| {
            session.key = Some(Secret::of(&key));
            key
        }))
    }

    /// Whether the request's cookie is one we set.
    pub fn knows_cookie(&self, headers: &HeaderMap) -> bool {
        let sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.iter().any(|s| cookie_matches(s, headers))
    }

    fn knows_session(&self, headers: &HeaderMap, key: &str) -> bool {
        let sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions
            .iter()
            .any(|s| cookie_matches(s, headers) && s.key.as_ref().is_some_and(|k| k.matches(key)))
    }

    /// Refuses names that are not ours and other web pages.
    fn check_origin(&self, headers: &HeaderMap) -> Result<(), Error> {
        let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
        let host = text(header::HOST).unwrap_or("");
        if !self.hosts.iter().any(|ours| ours == host) {
            return Err(Error::Refused(format!(
                "the name {host:?} is not this server's; open http://{}",
                self.hosts[0]
            )));
        }
        if let Some(origin) = text(header::ORIGIN)
            && origin.strip_prefix("http://") != Some(host)
        {
            return Err(Error::Refused(format!("requests from the page {origin:?} are refused")));
        }
        if let Some(site) = text(header::HeaderName::from_static("sec-fetch-site"))
            && !matches!(site, "same-origin" | "none")
        {
            return Err(Error::Refused(format!("requests from a {site} page are refused")));
        }
        Ok(())
    }
}

fn cookie_matches(session: &Session, headers: &HeaderMap) -> bool {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .any(|(name, value)| name == COOKIE && session.cookie.matches(value))
}

/// 256 random bits as hex.
fn random_hex() -> Result<String, Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| Error::Random(error.to_string()))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Before everything: is the request meant for us, and sent by us or by no page at all?
pub(crate) async fn check_origin(
    State(door): State<Arc<Door>>,
    request: Request,
    next: Next,
) -> Response {
    match door.check_origin(request.headers()) {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

/// Before `/api`: the cookie and the key of one session.
pub(crate) async fn need_session(
    State(door): State<Arc<Door>>,
    request: Request,
    next: Next,
) -> Response {
    let in_header = request.headers().get(KEY_HEADER).and_then(|value| value.to_str().ok());
    let in_query = request
        .uri()
        .query()
        .and_then(|query| query.split('&').find_map(|pair| pair.strip_prefix("key=")));
    let key = match request.method() {
        &axum::http::Method::GET => in_header.or(in_query),
        _ => in_header,
    };
    if key.is_some_and(|key| door.knows_session(request.headers(), key)) {
        return next.run(request).await;
    }
    let message =
        "this page is not signed in; open the address that Polymath printed in the terminal";
    (StatusCode::UNAUTHORIZED, axum::Json(serde_json::json!({ "error": message }))).into_response()
}

/// Whether a `/v1` request may go on: always without configured keys, else with one of them.
pub(crate) fn bearer_allowed(door: &Door, headers: &HeaderMap) -> bool {
    if door.api_keys.is_empty() {
        return true;
    }
    headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "))
        .is_some_and(|given| door.api_keys.iter().any(|key| key.matches(given.trim())))
}
