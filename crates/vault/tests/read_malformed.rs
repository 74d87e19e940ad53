//! Input made to break readers: errors or remarks, never a panic, never unbounded memory or time.

use std::io::{BufRead, Read, Seek, SeekFrom};

use proptest::prelude::*;
use vault::item::Item;
use vault::read::{self, Failure, Limits};

fn read_all(path: &str, bytes: &[u8]) -> (Vec<Item>, Vec<Failure>) {
    read_within(path, bytes, &Limits::default())
}

fn read_within(path: &str, bytes: &[u8], limits: &Limits) -> (Vec<Item>, Vec<Failure>) {
    let (mut items, mut failures) = (Vec::new(), Vec::new());
    read::bytes(path, bytes, limits, &mut |read| match read {
        Ok(item) => items.push(item),
        Err(failure) => failures.push(failure),
    });
    assert!(!items.is_empty() || !failures.is_empty() || bytes.is_empty(), "{path}: nothing said");
    (items, failures)
}

/// An mbox of one message whose only body line has a gigabyte, without holding it.
struct GigabyteLine {
    at: u64,
    buffer: Vec<u8>,
}

const HEAD: &[u8] = b"From a@b.c Thu Aug 22 12:36:23 2002\nSubject: long\nFrom: a@b.c\n\n";
const LINE_BYTES: u64 = 1 << 30;

impl Read for GigabyteLine {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let n = self.fill_buf()?.len().min(out.len());
        out[..n].copy_from_slice(&self.buffer[..n]);
        self.consume(n);
        Ok(n)
    }
}

impl BufRead for GigabyteLine {
    fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
        let head = HEAD.len() as u64;
        self.buffer.clear();
        if self.at < head {
            self.buffer.extend_from_slice(&HEAD[self.at as usize..]);
        } else {
            let left = (head + LINE_BYTES).saturating_sub(self.at).min(64 << 10);
            self.buffer.resize(left as usize, b'a');
        }
        Ok(&self.buffer)
    }

    fn consume(&mut self, n: usize) {
        self.at += n as u64;
        self.buffer.drain(..n);
    }
}

impl Seek for GigabyteLine {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        if let SeekFrom::Start(at) = to {
            self.at = at;
        }
        Ok(self.at)
    }
}

#[test]
fn a_line_of_a_gigabyte_keeps_only_what_the_limits_allow() {
    let mut got = Vec::new();
    let limits = Limits { message_bytes: 1 << 20, text_bytes: 1 << 16, ..Limits::default() };
    let mut reader = GigabyteLine { at: 0, buffer: Vec::new() };
    read::mbox_from(&mut reader, "big.mbox", HEAD.len() as u64 + LINE_BYTES, &limits, &mut |r| {
        got.push(r.expect("an item"));
    });
    assert_eq!(got.len(), 1);
    assert_eq!(got[0].title, "long");
    assert_eq!(got[0].bytes, HEAD.len() as u64 + LINE_BYTES);
    assert!(got[0].sections[0].text.len() <= 1 << 16);
    assert!(got[0].remarks.iter().any(|r| r.contains("only the first")), "{:?}", got[0].remarks);
}

#[test]
fn messages_within_messages_stop_at_the_depth_limit_and_say_so() {
    let mut mail = "Subject: level\nFrom: a@b.c\n\nbottom\n".to_owned();
    for depth in 0..40 {
        mail = format!(
            "Subject: level {depth}\nFrom: a@b.c\nContent-Type: multipart/mixed; boundary=b{depth}\n\n--b{depth}\n\
             Content-Type: message/rfc822\n\n{mail}\n--b{depth}--\n"
        );
    }
    let (items, failures) = read_all("deep.eml", mail.as_bytes());
    assert_eq!(items.len(), Limits::default().depth + 1);
    assert_eq!(failures.len(), 1);
    assert!(failures[0].reason.contains("messages deep"), "{}", failures[0]);
}

#[test]
fn a_boundary_that_contains_itself_and_ten_thousand_parts_end() {
    let cyclic = "Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/mixed; boundary=a\n\n".repeat(900)
        + "--a\n\nx\n--a--";
    read_all("cyclic.eml", format!("Subject: c\nFrom: a@b.c\n{cyclic}").as_bytes());
    let missing = "--x\nContent-Type: multipart/mixed; boundary=nowhere\n\n\n".repeat(10_000);
    let mail = format!(
        "Subject: m\nFrom: a@b.c\nContent-Type: multipart/mixed; boundary=x\n\n{missing}--x--"
    );
    let (items, _) = read_all("missing.eml", mail.as_bytes());
    assert!(items[0].remarks.iter().any(|r| r.contains("MIME parts")), "{:?}", items[0].remarks);
}

#[test]
fn hostile_html_mail_is_read_as_text() {
    let body = "<div><table><tr><td><blockquote>".repeat(100_000)
        + "<p style=\""
        + &"x".repeat(5 << 20)
        + "\">seen</p>";
    let mail = format!("Subject: h\nFrom: a@b.c\nContent-Type: text/html\n\n{body}");
    let (items, failures) = read_all("hostile.eml", mail.as_bytes());
    assert_eq!(failures, []);
    assert!(items[0].sections.iter().any(|s| s.text.contains("seen")));
    let page = "<a href='x'".repeat(50_000)
        + &"&#x110000;&notanentity;&".repeat(10_000)
        + "<!--".repeat(10_000).as_str();
    read_all("hostile.html", page.as_bytes());
}

#[test]
fn truncated_and_fake_documents_fail_with_a_reason() {
    for (name, bytes) in [
        ("a.pdf", &b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog"[..]),
        ("b.docx", b"PK\x03\x04\x14\0\0\0\x08\0"),
        ("c.docx", b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
    ] {
        let (items, failures) = read_all(name, bytes);
        assert!(items.is_empty(), "{name}");
        assert!(!failures[0].reason.is_empty() && !failures[0].hint.is_empty(), "{name}");
    }
    let cut = b"From: a@b.c\nSubject: cut\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/pl";
    let (items, _) = read_all("cut.eml", cut);
    assert_eq!(items[0].title, "cut");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Any bytes under any name give items or reasons.
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2000), which in 0usize..9) {
        let names = ["a.eml", "a.mbox", "a.ics", "a.vcf", "a.md", "a.html", "a.docx", "a.pdf", "cur/1"];
        read_all(names[which], &bytes);
    }

    /// Real structure with bytes flipped and cut gives items or reasons.
    #[test]
    fn damaged_real_files_never_panic(which in 0usize..4, cut in 0usize..4000, flips in proptest::collection::vec((0usize..4000, any::<u8>()), 0..20)) {
        let (name, text) = DAMAGED[which];
        let mut bytes = text.as_bytes().to_vec();
        let length = bytes.len();
        for (at, value) in flips {
            bytes[at % length] = value;
        }
        bytes.truncate(1 + cut % length);
        read_all(name, &bytes);
    }
}

const DAMAGED: [(&str, &str); 4] = [
    (
        "a.eml",
        "From: =?utf-8?B?QW5uYQ==?= <a@b.c>\nTo: Bo <bo@x.y>, \"Cy, D.\" <c@d.e>\nSubject: =?iso-8859-1?Q?Gr=FC=DFe?=\n\
         Date: Tue, 24 Nov 2026 10:00:00 +0100\nReferences: <1@x> <2@x>\nMIME-Version: 1.0\n\
         Content-Type: multipart/alternative; boundary=\"==b\"\n\n--==b\nContent-Type: text/plain; charset=utf-8; \
         format=flowed\nContent-Transfer-Encoding: quoted-printable\n\nHi =C3=BC\n\nOn Monday Bo wrote:\n> yes\n-- \nA\n\
         --==b\nContent-Type: text/html\nContent-Transfer-Encoding: base64\n\nPHA+SGk8L3A+\n--==b--\n",
    ),
    (
        "a.ics",
        "BEGIN:VCALENDAR\nBEGIN:VTIMEZONE\nTZID:X\nBEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:+0100\n\
         TZOFFSETTO:+0200\nRRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU\nEND:STANDARD\nEND:VTIMEZONE\nBEGIN:VEVENT\nUID:1\n\
         SUMMARY:A\nDTSTART;TZID=X:20260101T090000\nDURATION:PT1H\nRRULE:FREQ=MONTHLY;BYDAY=2TU;COUNT=5\n\
         EXDATE;TZID=X:20260210T090000\nRDATE;VALUE=PERIOD:20260301T000000Z/PT2H\nATTENDEE;CN=B:mailto:b@c.d\n\
         END:VEVENT\nEND:VCALENDAR\n",
    ),
    (
        "a.vcf",
        "BEGIN:VCARD\nVERSION:3.0\nFN:A\nN:B;C;;;\nTEL;TYPE=work:1\nitem1.URL:http://x\nitem1.X-ABLabel:_$!<Home>!$_\n\
         BDAY:1980-02-29\nADR:;;s;c;r;p;l\nNOTE;ENCODING=QUOTED-PRINTABLE:a=0Db=\n c\nEND:VCARD\n",
    ),
    (
        "a.md",
        "---\ntitle: x\ntags: [a, b]\ndate: 2026-01-01\n---\n# H\n\n[[w|x]] *e* `c`\n\n```\ncode\n```\n\n> q\n\n1. a\n2. b\n",
    ),
];
