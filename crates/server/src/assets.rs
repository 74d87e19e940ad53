//! The page's own files, inside the binary, and the headers that keep the page to itself.

use std::sync::LazyLock;

use axum::body::{Body, Bytes};
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

/// Scripts, styles, requests and pictures from this server alone; nothing may frame the page; no string ever
/// becomes markup (`require-trusted-types-for`): every text on the page is a text node.
pub(crate) const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     connect-src 'self'; img-src 'self' data:; frame-src 'self'; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

struct Asset {
    name: &'static str,
    bytes: &'static [u8],
}

macro_rules! assets {
    ($($name:literal),* $(,)?) => {
        &[$(Asset { name: $name, bytes: include_bytes!(concat!("../web/", $name)) }),*]
    };
}

static ASSETS: &[Asset] = assets![
    "index.html",
    "door.html",
    "icon.svg",
    "css/tokens.css",
    "css/base.css",
    "css/frame.css",
    "css/conversation.css",
    "css/item.css",
    "css/lists.css",
    "css/palette.css",
    "css/plan.css",
    "js/app.js",
    "js/api.js",
    "js/store.js",
    "js/route.js",
    "js/keys.js",
    "js/html.js",
    "js/icons.js",
    "js/format.js",
    "js/announce.js",
    "js/frame.js",
    "js/welcome.js",
    "js/ask.js",
    "js/answer.js",
    "js/sources.js",
    "js/item.js",
    "js/search.js",
    "js/card.js",
    "js/reading.js",
    "js/vault.js",
    "js/models.js",
    "js/plan.js",
    "js/plan-state.js",
    "js/plan-format.js",
    "js/plan-controls.js",
    "js/plan-results.js",
    "js/plan-charts.js",
    "js/slider.js",
    "js/chart.js",
    "js/runs.js",
    "js/settings.js",
    "js/palette.js",
    "js/help.js",
    "vendor/preact.mjs",
    "vendor/hooks.mjs",
    "vendor/htm.mjs",
    "vendor/LICENSE-preact",
    "vendor/LICENSE-htm",
];

/// Quoted SHA-256 per asset, in the order of `ASSETS`.
static ETAGS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let tag = |asset: &Asset| {
        let digest = Sha256::digest(asset.bytes);
        let hex: String = digest[..16].iter().map(|byte| format!("{byte:02x}")).collect();
        format!("\"{hex}\"")
    };
    ASSETS.iter().map(tag).collect()
});

/// One file of the page by name.
pub(crate) async fn file(Path(name): Path<String>, headers: HeaderMap) -> Response {
    respond(&name, StatusCode::OK, &headers)
}

/// A file of the page, or `304` when the browser has this very version.
pub(crate) fn respond(name: &str, status: StatusCode, headers: &HeaderMap) -> Response {
    let Some(place) = ASSETS.iter().position(|asset| asset.name == name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let (asset, etag) = (&ASSETS[place], &ETAGS[place]);
    let known = headers.get(header::IF_NONE_MATCH).is_some_and(|tags| {
        tags.to_str().is_ok_and(|tags| tags.split(',').any(|tag| tag.trim() == etag))
    });
    let mut response = if known && status == StatusCode::OK {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        (status, Body::from(Bytes::from_static(asset.bytes))).into_response()
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type(name)));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Ok(etag) = HeaderValue::from_str(etag) {
        headers.insert(header::ETAG, etag);
    }
    response
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "text/plain; charset=utf-8",
    }
}

/// Headers of every response. A response that set its own policy (the mail frame) keeps it.
pub(crate) async fn safe_headers(mut response: Response) -> Response {
    let fixed = [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("permissions-policy", "camera=(), microphone=(), geolocation=()"),
    ];
    let headers = response.headers_mut();
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(PAGE_POLICY));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_under_web_is_in_the_binary() {
        fn walk(folder: &std::path::Path, found: &mut Vec<String>, root: &std::path::Path) {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    walk(&path, found, root);
                } else {
                    let name = path.strip_prefix(root).unwrap().to_str().unwrap();
                    found.push(name.replace('\\', "/"));
                }
            }
        }
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("web");
        let (mut found, mut listed) = (Vec::new(), Vec::new());
        walk(&root, &mut found, &root);
        listed.extend(ASSETS.iter().map(|asset| asset.name.to_string()));
        found.sort();
        listed.sort();
        assert_eq!(found, listed);
    }

    #[test]
    fn no_file_names_another_host() {
        for asset in ASSETS.iter().filter(|asset| !asset.name.starts_with("vendor/")) {
            let text = std::str::from_utf8(asset.bytes).unwrap();
            for (at, _) in text.match_indices("://") {
                let around = &text[at.saturating_sub(5)..];
                let own = ["http://127.0.0.1", "http://www.w3.org/2000/svg"];
                let fine =
                    own.iter().any(|own| around.trim_start_matches([' ', '"']).starts_with(own));
                assert!(fine, "{}: {}", asset.name, &around[..40.min(around.len())]);
            }
        }
    }
}
