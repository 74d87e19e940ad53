//! One item: its text, its original made safe, its bytes.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};

use super::Page;
use crate::backend::{Life, Rich};
use crate::{Error, html};

fn missing(id: i64) -> Error {
    Error::NotFound {
        what: format!("item {id}"),
        hint: "it may have been removed since; search for it again".into(),
    }
}

pub(super) async fn item(
    State(page): State<Page>,
    Path((life, id)): Path<(Life, i64)>,
) -> Result<Response, Error> {
    let found = page.run(move |backend| backend.item(life, id)).await?;
    Ok(Json(found.ok_or_else(|| missing(id))?).into_response())
}

/// The original as HTML for the sandboxed frame. The sanitiser is the first wall, the frame's own policy the
/// second: no scripts, no requests at all, pictures only from inside the message.
pub(super) async fn html(
    State(page): State<Page>,
    Path((life, id)): Path<(Life, i64)>,
) -> Result<Response, Error> {
    let page_html = page
        .run(move |backend| {
            Ok(backend.rich(life, id)?.map(|rich| match rich {
                Rich::Plain(text) => html::frame(&html::from_text(&text)),
                Rich::Html(source) => html::frame(&html::sanitise(&source)),
                Rich::Markdown(source) => {
                    html::frame(&html::sanitise(&html::from_markdown(&source)))
                }
            }))
        })
        .await?
        .ok_or_else(|| missing(id))?;
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, html::FRAME_POLICY),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, page_html).into_response())
}

/// Always a download: nothing that came by mail is ever opened as a page of this server.
pub(super) async fn original(
    State(page): State<Page>,
    Path((life, id)): Path<(Life, i64)>,
) -> Result<Response, Error> {
    let original =
        page.run(move |backend| backend.original(life, id)).await?.ok_or_else(|| missing(id))?;
    let mut response = original.bytes.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let disposition = format!("attachment; filename=\"{}\"", safe_name(&original.file_name));
    if let Ok(value) = HeaderValue::from_str(&disposition) {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
    Ok(response)
}

/// A file name that cannot break out of a header or a folder.
pub(super) fn safe_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or("");
    let kept: String = last
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || "._- ()".contains(c) { c } else { '_' })
        .take(120)
        .collect();
    match kept.trim_matches(['.', ' ']) {
        "" => "file".into(),
        kept => kept.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::safe_name;

    #[test]
    fn a_file_name_keeps_no_path_and_no_quote() {
        assert_eq!(safe_name("../../etc/passwd"), "passwd");
        assert_eq!(safe_name("a\"b\r\nc.pdf"), "a_b__c.pdf");
        assert_eq!(safe_name("C:\\x\\Tax 2025 (1).pdf"), "Tax 2025 (1).pdf");
        assert_eq!(safe_name(".."), "file");
    }
}
