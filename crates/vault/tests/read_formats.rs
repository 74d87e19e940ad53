//! Contacts, notes, documents, mail parts, folders: what each format says ends up in its item.

use std::io::Write as _;

use vault::item::{Item, Kind, Role, Weight};
use vault::read::walk::{Entry, Rules, excluded_by};
use vault::read::{self, Failure, Limits};

fn read_all(path: &str, bytes: &[u8]) -> (Vec<Item>, Vec<Failure>) {
    let (mut items, mut failures) = (Vec::new(), Vec::new());
    read::bytes(path, bytes, &Limits::default(), &mut |read| match read {
        Ok(item) => items.push(item),
        Err(failure) => failures.push(failure),
    });
    (items, failures)
}

fn read_one(path: &str, bytes: &[u8]) -> Item {
    let (mut items, failures) = read_all(path, bytes);
    assert_eq!(failures, []);
    items.remove(0)
}

fn field<'i>(item: &'i Item, label: &str) -> &'i str {
    let fields = &item.card.as_ref().expect("a card").fields;
    fields.iter().find(|(l, _)| l == label).map_or("", |(_, v)| v.as_str())
}

#[test]
fn cards_of_all_versions_are_read_with_their_labels_and_birthdays() {
    let cards = "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Anna Lee\r\nN:Lee;Anna;;Dr.;\r\nEMAIL;TYPE=WORK:Anna@Example.org\r\n\
        TEL;TYPE=CELL:+41 79 000 00 00\r\nitem1.TEL:+41 44 000 00 00\r\nitem1.X-ABLabel:_$!<HomeFAX>!$_\r\n\
        ADR;TYPE=HOME:;;Lake Street 4;Zurich;;8001;Switzerland\r\nBDAY:1985-04-12\r\nNOTE:Likes tea\\nand rain\r\n\
        ORG:Choir;Board\r\nPHOTO;ENCODING=b;TYPE=JPEG:/9j/4AAQSkZJRg==\r\nCATEGORIES:Friends,Choir\r\nEND:VCARD\r\n\
        BEGIN:VCARD\r\nVERSION:2.1\r\nN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:M=C3=BCller;J=C3=B6rg\r\n\
        TEL;WORK;VOICE:123\r\nEND:VCARD\r\n\
        BEGIN:VCARD\r\nVERSION:4.0\r\nFN:Bo\r\nBDAY:--0229\r\nRELATED;TYPE=spouse;VALUE=text:Cy Doe\r\nUID:urn:uuid:1\r\n\
        END:VCARD\r\n";
    let (items, failures) = read_all("book.vcf", cards.as_bytes());
    assert_eq!(failures, []);
    let titles: Vec<&str> = items.iter().map(|i| i.title.as_str()).collect();
    assert_eq!(titles, ["Anna Lee", "Birthday of Anna Lee", "Jörg Müller", "Bo", "Birthday of Bo"]);
    let anna = &items[0];
    assert_eq!(anna.kind, Kind::Contact);
    assert_eq!(anna.people[0].address.as_deref(), Some("anna@example.org"));
    assert_eq!(field(anna, "tel;cell"), "+41 79 000 00 00");
    assert_eq!(field(anna, "tel;homefax"), "+41 44 000 00 00");
    assert_eq!(field(anna, "adr;home"), "Lake Street 4, 8001 Zurich, Switzerland");
    assert_eq!(field(anna, "bday"), "1985-04-12");
    assert_eq!(field(anna, "org"), "Choir, Board");
    assert_eq!(anna.sections[1].text, "Likes tea\nand rain");
    assert_eq!(anna.tags, ["Friends", "Choir"]);
    assert!(anna.remarks.contains(&"photo skipped".to_owned()), "{:?}", anna.remarks);
    let birthday = &items[1];
    assert_eq!((birthday.kind, birthday.parent.as_ref()), (Kind::Event, Some(&anna.place)));
    let repeats = birthday.event.as_ref().and_then(|e| e.repeats.as_deref()).expect("it repeats");
    let year_2026 = 1_767_225_600..1_798_761_600;
    let days = read::calendar::expand(repeats, year_2026.clone(), 5).occurrences;
    assert_eq!(days.len(), 1);
    assert_eq!(days[0].when.start, 1_775_952_000, "12 April 2026");
    let leap = items[4].event.as_ref().and_then(|e| e.repeats.as_deref()).expect("it repeats");
    let days = read::calendar::expand(leap, year_2026, 5).occurrences;
    assert_eq!(days[0].when.start, 1_772_236_800, "28 February 2026");
    assert!(items[3].people.iter().any(|p| p.role == Role::Mentioned && p.name == "Cy Doe"));
}

#[test]
fn a_leap_day_with_dashes_is_a_birthday_in_every_version() {
    for version in ["3.0", "4.0"] {
        let card = format!(
            "BEGIN:VCARD\r\nVERSION:{version}\r\nFN:Bo\r\nitem1.BDAY;VALUE=date:1988-02-29\r\nEND:VCARD\r\n"
        );
        let (items, failures) = read_all("b.vcf", card.as_bytes());
        assert_eq!((items.len(), failures.len()), (2, 0), "{version}");
        assert!(
            items[0].card.as_ref().is_some_and(|c| c.fields.iter().any(|(_, v)| v == "1988-02-29"))
        );
        assert_eq!(items[1].when.as_ref().map(|when| when.start), Some(573_091_200), "{version}");
    }
}

#[test]
fn markdown_notes_have_front_matter_headings_and_links() {
    let note = "---\ntitle: \"Trip to Rome\"\ndate: 2026-05-03\ntags: [travel, italy]\naliases:\n  - Roma\n---\n\
                Start #plan.\n\n# Days\n\n## First\n\nSee [[Anna Lee|Anna]] and [map](maps/rome.md).\n\n- [x] pack\n- go\n\n\
                | a | b |\n|---|---|\n| 1 | 2 |\n";
    let item = read_one("notes/rome.md", note.as_bytes());
    assert_eq!((item.kind, item.title.as_str()), (Kind::Note, "Trip to Rome"));
    assert_eq!(item.tags, ["travel", "italy", "plan"]);
    assert_eq!(item.links, ["Anna Lee", "maps/rome.md"]);
    let when = item.when.as_ref().expect("a date");
    assert!(when.all_day && when.zone.is_none());
    assert_eq!(when.start, 1_777_766_400);
    let sections: Vec<(String, &str)> =
        item.sections.iter().map(|s| (s.heading.join(" > "), s.text.as_str())).collect();
    assert_eq!(sections[0], (String::new(), "aliases: Roma"));
    assert_eq!(sections[1], (String::new(), "Start #plan."));
    assert_eq!(sections[2].0, "Days > First");
    assert_eq!(sections[2].1, "See Anna and map.\n\n- [x] pack\n- go\n\na | b\n1 | 2");
}

#[test]
fn daily_notes_are_dated_by_name_and_text_in_old_encodings_is_read() {
    let item = read_one("journal/2026-11-24.md", b"Slept well.");
    assert_eq!(item.when.map(|w| w.start), Some(1_795_478_400));
    let item = read_one("alt.txt", b"Die K\xfcche ist sch\xf6n gro\xdf, sagt J\xfcrgen.");
    assert_eq!(item.sections[0].text, "Die Küche ist schön groß, sagt Jürgen.");
    assert!(item.remarks[0].contains("windows-1252"), "{:?}", item.remarks);
}

fn docx(parts: &[(&str, &str)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, text) in parts {
        zip.start_file(*name, zip::write::SimpleFileOptions::default()).expect("an entry");
        zip.write_all(text.as_bytes()).expect("written");
    }
    zip.finish().expect("a zip").into_inner()
}

const W: &str = "xmlns:w=\"http://schemas.openxmlformats.org/wordprocessingml/2006/main\"";

#[test]
fn word_documents_have_headings_lists_tables_and_authors() {
    let styles = format!(
        "<w:styles {W}><w:style w:styleId=\"berschrift1\"><w:name w:val=\"heading 1\"/></w:style></w:styles>"
    );
    let p = |style: &str, text: &str| {
        format!("<w:p><w:pPr>{style}</w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>")
    };
    let body = format!(
        "<w:document {W}><w:body>{}{}{}<w:tbl><w:tr><w:tc>{}</w:tc><w:tc>{}</w:tc></w:tr></w:tbl>\
         <w:p><w:r><w:t xml:space=\"preserve\">kept </w:t></w:r><w:del><w:r><w:delText>gone</w:delText></w:r></w:del>\
         <w:r><w:t>&amp; joined</w:t></w:r></w:p></w:body></w:document>",
        p("", "Before"),
        p("<w:pStyle w:val=\"berschrift1\"/>", "Kosten"),
        p("<w:numPr/>", "Miete"),
        p("", "a"),
        p("", "b"),
    );
    let core = "<cp:coreProperties xmlns:cp=\"c\" xmlns:dc=\"d\" xmlns:dcterms=\"t\"><dc:title>Plan</dc:title>\
                <dc:creator>Anna</dc:creator><dcterms:created>2026-01-02T03:04:05Z</dcterms:created>\
                </cp:coreProperties>";
    let file = docx(&[
        ("word/styles.xml", &styles),
        ("word/document.xml", &body),
        ("docProps/core.xml", core),
    ]);
    let item = read_one("plan.docx", &file);
    assert_eq!((item.kind, item.title.as_str()), (Kind::Document, "Plan"));
    assert_eq!(item.people[0].name, "Anna");
    assert_eq!(item.when.as_ref().map(|w| w.start), Some(1_767_323_045));
    let sections: Vec<(String, &str)> =
        item.sections.iter().map(|s| (s.heading.join("/"), s.text.as_str())).collect();
    assert_eq!(sections[0], (String::new(), "Before"));
    assert_eq!(sections[1], ("Kosten".into(), "- Miete\na | b\n\nkept & joined"));
}

#[test]
fn word_documents_may_keep_their_body_elsewhere_and_have_notes_at_the_end() {
    let rels = "<Relationships xmlns=\"r\"><Relationship Id=\"a\" Type=\"http://x/core-properties\" Target=\"c.xml\"/>\
                <Relationship Id=\"b\" Type=\"http://x/officeDocument\" Target=\"/word/document2.xml\"/></Relationships>";
    let p = |text: &str| format!("<w:p><w:r><w:t>{text}</w:t></w:r></w:p>");
    let body = format!("<w:document {W}><w:body>{}</w:body></w:document>", p("Body"));
    let notes = format!("<w:endnotes {W}><w:endnote>{}</w:endnote></w:endnotes>", p("At the end"));
    let file = docx(&[
        ("_rels/.rels", rels),
        ("word/document2.xml", &body),
        ("word/endnotes.xml", &notes),
    ]);
    let item = read_one("elsewhere.docx", &file);
    let sections: Vec<(String, &str)> =
        item.sections.iter().map(|s| (s.heading.join("/"), s.text.as_str())).collect();
    assert_eq!(sections, [(String::new(), "Body"), ("Endnotes".into(), "At the end")]);
}

#[test]
fn zip_bombs_are_refused() {
    let huge = "<w:t>".to_owned() + &" ".repeat(300 << 20);
    let file = docx(&[("word/document.xml", &huge)]);
    assert!(file.len() < 2 << 20, "the bomb itself is small: {}", file.len());
    let (items, failures) = read_all("bomb.docx", &file);
    assert!(items.is_empty());
    assert!(failures[0].reason.contains("would inflate to"), "{}", failures[0]);
    let names: Vec<String> = (0..10_001).map(|n| format!("word/{n}")).collect();
    let many: Vec<(&str, &str)> = names.iter().map(|n| (n.as_str(), "")).collect();
    let (_, failures) = read_all("many.docx", &docx(&many));
    assert!(failures[0].reason.contains("10001 entries"), "{}", failures[0]);
}

#[test]
fn attachments_are_items_of_their_own_that_name_their_message() {
    let mail = "From: Ann <ann@example.org>\r\nTo: bo@example.org\r\nSubject: Papers\r\nMessage-ID: <1@x>\r\n\
        Date: Tue, 24 Nov 2026 10:00:00 +0100\r\nMIME-Version: 1.0\r\n\
        Content-Type: multipart/mixed; boundary=B\r\n\r\n--B\r\nContent-Type: text/plain\r\n\r\nSee below.\r\n-- \r\nAnn\r\n\
        --B\r\nContent-Type: text/markdown; name=list.md\r\nContent-Transfer-Encoding: base64\r\n\r\nIyBMaXN0CgpiYWdz\r\n\
        --B\r\nContent-Type: message/rfc822\r\n\r\nFrom: cy@example.org\r\nSubject: Old news\r\n\r\nThe old letter\r\n\
        --B\r\nContent-Type: text/calendar\r\n\r\nBEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:e1\r\nSUMMARY:Visit\r\n\
        DTSTART:20261201T090000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n--B\r\nContent-Type: image/png\r\n\
        Content-Disposition: attachment; filename*=UTF-8''K%C3%BCche.png\r\n\r\nxx\r\n--B--\r\n";
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("a.eml"), mail).expect("written");
    let mut items = Vec::new();
    read::file(folder.path(), "a.eml", &Limits::default(), &mut |r| {
        items.push(r.expect("an item"));
    });
    let told: Vec<(Kind, &str, &str)> =
        items.iter().map(|i| (i.kind, i.title.as_str(), i.place.part.as_str())).collect();
    assert_eq!(
        told,
        [
            (Kind::Mail, "Papers", ""),
            (Kind::Document, "List", "/att:1"),
            (Kind::Mail, "Old news", "/att:2"),
            (Kind::Event, "Visit", "/att:3/e1"),
            (Kind::Document, "Küche.png", "/att:4"),
        ]
    );
    assert!(items[1..].iter().all(|i| i.parent.as_ref() == Some(&items[0].place)));
    assert_eq!(items[0].sections[1].weight, Weight::Signature);
    assert_eq!(items[2].sections[0].text, "The old letter");
    assert_eq!(items[2].sections[0].weight, Weight::Body, "a forwarded message is content");
    assert_eq!(items[1].when, items[0].when, "an attachment has the date of its message");
    let when = items[0].when.as_ref().expect("a date");
    assert_eq!((when.start, when.offset_s), (1_795_510_800, 3600));
    assert!(items[0].identity.starts_with("mid:1@x#"));
    let raw =
        read::raw(folder.path(), &items[1].place, &Limits::default()).expect("the attachment");
    assert_eq!(raw, b"# List\n\nbags");
}

#[test]
fn maildir_flags_do_not_change_what_a_message_is() {
    let mail = b"From: a@b.c\nSubject: x\nMessage-ID: <7@x>\n\nhi";
    let unread = read_one("Mail/.Trips.Rome/new/1.host", mail);
    let read_and_answered = read_one("Mail/.Trips.Rome/cur/1.host:2,RS", mail);
    assert_eq!(unread.identity, read_and_answered.identity);
    assert_eq!(unread.tags, ["Trips.Rome"]);
}

#[test]
fn every_file_that_is_left_out_names_its_rule() {
    let root = tempfile::tempdir().expect("a folder");
    let outside = tempfile::tempdir().expect("a folder");
    for file in [
        "a.md",
        ".git/config",
        ".secret",
        "box/cur/1",
        "box/new/2",
        "box/tmp/3",
        "box/.Sent/cur/4",
        "box/.Sent/new/5",
        "web/node_modules/x/readme.md",
        "mail/INBOX.msf",
        "z.txt",
    ] {
        let path = root.path().join(file);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        std::fs::write(path, "x").expect("written");
    }
    std::os::unix::fs::symlink(outside.path(), root.path().join("away")).expect("linked");
    std::os::unix::fs::symlink(root.path().join("a.md"), root.path().join("b.md")).expect("linked");
    let told: Vec<String> = read::walk(root.path(), &Rules::default())
        .into_iter()
        .map(|entry| match entry {
            Entry::File { path, .. } => path,
            Entry::Excluded { path, rule } => format!("{path}: {rule}"),
            Entry::Failed { path, reason } => format!("{path} failed: {reason}"),
        })
        .collect();
    assert_eq!(
        told,
        [
            ".git: hidden-folder",
            ".secret: hidden-file",
            "a.md",
            "away: link-outside",
            "b.md: link-inside",
            "box/.Sent/cur/4",
            "box/.Sent/new/5",
            "box/cur/1",
            "box/new/2",
            "box/tmp: maildir-tmp",
            "mail/INBOX.msf: index-file",
            "web/node_modules: tool-folder",
            "z.txt",
        ]
    );
    assert_eq!(excluded_by(root.path(), ".git/config", &Rules::default()), Some("hidden-folder"));
    assert_eq!(excluded_by(root.path(), "box/.Sent/cur/4", &Rules::default()), None);
    assert_eq!(
        read::walk(&root.path().join("a.md"), &Rules::default()).len(),
        1,
        "a file is its own source"
    );
}
