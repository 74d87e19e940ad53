//! Originals made safe to look at: Markdown and mail HTML through one sanitiser, into a frame that may do nothing.
//!
//! No script, form, frame or style sheet survives; no picture from elsewhere is loaded (a mail must not learn that
//! it was opened); every link shows the host it really leads to.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

/// The frame's own policy. `sandbox` without `allow-scripts` and `allow-same-origin` makes it a stranger to the page.
pub(crate) const FRAME_POLICY: &str = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'self'; \
     sandbox allow-popups allow-popups-to-escape-sandbox";

/// Longest source that is parsed; a mail of many megabytes is shown as far as this.
const MAX_SOURCE_BYTES: usize = 2 << 20;

/// Markdown as HTML, not yet sanitised.
pub fn from_markdown(source: &str) -> String {
    let source = cut(source);
    let body = without_front_matter(source);
    let options = pulldown_cmark::Options::ENABLE_TABLES
        | pulldown_cmark::Options::ENABLE_TASKLISTS
        | pulldown_cmark::Options::ENABLE_STRIKETHROUGH;
    let mut html = String::with_capacity(body.len() * 2);
    pulldown_cmark::html::push_html(&mut html, pulldown_cmark::Parser::new_ext(body, options));
    html
}

/// Plain text as HTML.
pub fn from_text(text: &str) -> String {
    format!("<pre>{}</pre>", ammonia::clean_text(text))
}

fn without_front_matter(source: &str) -> &str {
    let rest = source.strip_prefix("---\n").or_else(|| source.strip_prefix("---\r\n"));
    rest.and_then(|rest| rest.split_once("\n---"))
        .map_or(source, |(_, body)| body.split_once('\n').map_or("", |(_, body)| body))
}

/// Foreign HTML as harmless HTML.
pub fn sanitise(source: &str) -> String {
    let mut cleaner = ammonia::Builder::default();
    cleaner
        .add_tags(["font", "center"])
        .rm_tags(["map", "area"])
        .add_generic_attributes(["align", "dir", "style"])
        .filter_style_properties(HashSet::from(STYLES))
        .add_tag_attributes("font", ["color", "size"])
        .add_tag_attributes("td", ["bgcolor", "valign", "width"])
        .add_tag_attributes("table", ["bgcolor", "width", "border", "cellpadding", "cellspacing"])
        .url_schemes(HashSet::from(["http", "https", "mailto", "tel", "data"]))
        .url_relative(ammonia::UrlRelative::Deny)
        .link_rel(Some("noopener noreferrer"))
        .set_tag_attribute_values(HashMap::from([("a", HashMap::from([("target", "_blank")]))]))
        .attribute_filter(keep);
    show_hosts(&cleaner.clean(cut(source)).to_string())
}

/// Properties that colour and space text; none of them can load anything or leave its box.
const STYLES: [&str; 17] = [
    "color",
    "background-color",
    "font-weight",
    "font-style",
    "font-size",
    "font-family",
    "text-align",
    "text-decoration",
    "margin",
    "padding",
    "border",
    "border-collapse",
    "width",
    "max-width",
    "line-height",
    "vertical-align",
    "white-space",
];

/// Pictures only when the message carries them; links never as `data:`; no style that names an address.
fn keep<'a>(element: &str, attribute: &str, value: &'a str) -> Option<Cow<'a, str>> {
    let lower = value.trim_start().to_ascii_lowercase();
    let fine = match (element, attribute) {
        ("img", "src") => {
            ["data:image/png", "data:image/jpeg", "data:image/gif", "data:image/webp"]
                .iter()
                .any(|start| lower.starts_with(start))
        }
        (_, "href" | "cite" | "src") => !lower.starts_with("data:"),
        (_, "style") => !lower.contains("url(") && !lower.contains('\\'),
        _ => true,
    };
    fine.then_some(Cow::Borrowed(value))
}

/// Puts the real host behind each link, where the link's own words cannot hide it.
///
/// Works on the sanitiser's output, whose shape is known: lower-case tags, double-quoted attributes.
fn show_hosts(clean: &str) -> String {
    let mut shown = String::with_capacity(clean.len() + clean.len() / 8);
    let (mut rest, mut host) = (clean, None);
    while let Some(at) = rest.find("<a ").into_iter().chain(rest.find("</a>")).min() {
        let (before, tag_on) = rest.split_at(at);
        shown.push_str(before);
        let end = tag_on.find('>').map_or(tag_on.len(), |end| end + 1);
        let (tag, after) = tag_on.split_at(end);
        shown.push_str(tag);
        if tag == "</a>" {
            if let Some(host) = host.take() {
                shown.push_str(&format!("<span class=\"host\"> ({host})</span>"));
            }
        } else {
            host = link_host(tag);
        }
        rest = after;
    }
    shown.push_str(rest);
    shown
}

fn link_host(tag: &str) -> Option<&str> {
    let href = tag.split_once("href=\"")?.1.split('"').next()?;
    let rest = href.strip_prefix("https://").or_else(|| href.strip_prefix("http://"))?;
    let authority = rest.split(['/', '?', '#', '\\']).next()?;
    Some(authority.rsplit('@').next().unwrap_or(authority))
}

/// A whole document around sanitised HTML.
pub fn frame(body: &str) -> String {
    format!(
        "<!doctype html><meta charset=\"utf-8\"><style>{FRAME_STYLE}</style><body>{body}</body>"
    )
}

/// Always dark on light: foreign mail assumes paper.
const FRAME_STYLE: &str = "body{margin:16px;font:15px/1.55 system-ui,sans-serif;color:#1c1b19;background:#fff;\
    overflow-wrap:anywhere}img{max-width:100%;height:auto}table{max-width:100%}pre{white-space:pre-wrap}\
    blockquote{margin:0 0 0 4px;padding-left:12px;border-left:3px solid #d8d4cc;color:#5b574f}\
    a{color:#1f5f8b}.host{color:#77716a;font-size:.85em}h1,h2,h3{line-height:1.25}";

fn cut(source: &str) -> &str {
    &source[..source.floor_char_boundary(MAX_SOURCE_BYTES)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_hostile_survives() {
        let hostile = [
            "<script>alert(1)</script>",
            "<img src=x onerror=alert(1)>",
            "<a href='javascript:alert(1)'>x</a>",
            "<iframe src='https://evil.example'></iframe>",
            "<form action='https://evil.example'><input name=p></form>",
            "<svg><script>alert(1)</script></svg>",
            "<math><mtext><style><img src=x onerror=alert(1)></style></mtext></math>",
            "<div style=\"background:url(https://evil.example/p.gif)\">x</div>",
            "<link rel=stylesheet href=https://evil.example/a.css>",
            "<meta http-equiv=refresh content='0;url=https://evil.example'>",
            "<base href=https://evil.example>",
            "<img src='https://evil.example/pixel.gif'>",
            "<img src='//evil.example/pixel.gif'>",
            "<img srcset='https://evil.example/pixel.gif 2x'>",
            "<video poster='https://evil.example/p.gif'></video>",
            "<a href='data:text/html,<script>alert(1)</script>'>x</a>",
        ];
        for source in hostile {
            let clean = sanitise(source);
            for bad in ["<script", "onerror", "javascript:", "evil.example", "<form", "data:text"] {
                assert!(!clean.contains(bad), "{source} became {clean}");
            }
        }
    }

    #[test]
    fn a_link_shows_where_it_really_leads() {
        let clean =
            sanitise("<p><a href=\"https://bank.example@evil.example/x\">bank.example</a> now</p>");
        assert!(
            clean.contains("bank.example</a><span class=\"host\"> (evil.example)</span> now"),
            "{clean}"
        );
        assert!(clean.contains("rel=\"noopener noreferrer\""), "{clean}");
    }

    #[test]
    fn a_picture_inside_the_message_is_kept() {
        let clean = sanitise("<img alt=\"map\" src=\"data:image/png;base64,iVBORw0KGgo=\">");
        assert!(clean.contains("data:image/png;base64,iVBORw0KGgo="), "{clean}");
    }

    #[test]
    fn markdown_becomes_html_without_its_front_matter() {
        let html = sanitise(&from_markdown("---\ntags: [a]\n---\n# Trip\n\n- [x] tickets\n"));
        assert!(html.contains("<h1>Trip</h1>") && html.contains("tickets"), "{html}");
        assert!(!html.contains("tags"), "{html}");
    }

    #[test]
    fn markdown_cannot_smuggle_html() {
        let html =
            sanitise(&from_markdown("<img src=x onerror=alert(1)> [x](javascript:alert(1))"));
        assert!(!html.contains("onerror") && !html.contains("javascript"), "{html}");
    }
}
