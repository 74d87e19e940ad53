//! Hostile input all at once must not cost more memory than a program may take on a small machine.

#![cfg(target_os = "linux")]

mod life;

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use life::Life;

/// Peak of the process that reads it all. Two readers may each hold one message of 64 MB and its copies.
const BOUND_MB: u64 = 400;
const CHILD: &str = "VAULT_MEMORY_CHILD";

#[test]
fn a_folder_of_hostile_files_is_read_within_a_bound_on_memory() {
    if std::env::var_os(CHILD).is_some() {
        return read_it_all();
    }
    // A process of its own: the peak of this one belongs to all tests together.
    let own = std::env::current_exe().unwrap();
    let name = "a_folder_of_hostile_files_is_read_within_a_bound_on_memory";
    let out =
        Command::new(own).args([name, "--exact", "--nocapture"]).env(CHILD, "1").output().unwrap();
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{said}");
    let peak = said.lines().find_map(|line| line.strip_prefix("peak of ")?.strip_suffix(" MB"));
    let peak_mb: u64 = peak.expect("the child says its peak").parse().unwrap();
    assert!(peak_mb <= BOUND_MB, "{peak_mb} MB");
}

fn read_it_all() {
    let life = Life::new();
    hostile(&life);
    let report = life.sync();
    assert_eq!(report.files_read, 12);
    assert_eq!(life.titles("marigold"), ["in between"], "the honest mail among them is found");
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak_kb: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    eprintln!("peak of {} MB", peak_kb / 1024);
}

fn hostile(life: &Life) {
    life.mail("in between.eml", "Anna Meier", "Ben Okafor", "in between", "1", None, "marigold");
    let head = "From a@b.c Thu Aug 22 12:36:23 2002\nSubject: long\nFrom: a@b.c\n\n";
    for (name, head) in
        [("one line.mbox", head), ("one line.eml", &head[36..]), ("line.md", "# long\n")]
    {
        // Nothing but zeros, which take no room on disk.
        let path = life.files().join(name);
        life.write(name, head);
        File::options().write(true).open(path).unwrap().set_len(1 << 30).unwrap();
    }
    life.write("letters.eml", &format!("Subject: letters\n\n{}", "abcd ".repeat(60 << 20 >> 2)));
    life.write(
        "html.eml",
        &format!("Subject: x\nContent-Type: text/html\n\n{}", "<div><b>a".repeat(3 << 20)),
    );
    life.write("cycle.eml", &"Content-Type: message/rfc822\n\n".repeat(100_000));
    let part = "--b\nContent-Type: multipart/mixed; boundary=b\n\n";
    life.write(
        "boundary.eml",
        &format!(
            "Subject: x\nContent-Type: multipart/mixed; boundary=b\n\n{}",
            part.repeat(20_000)
        ),
    );
    let event = |n: usize| {
        format!(
            "BEGIN:VEVENT\nUID:{n}\nDTSTART:19700101T000000Z\nRRULE:FREQ=SECONDLY\nSUMMARY:tick\nEND:VEVENT\n"
        )
    };
    let events: String = (0..2_000).map(event).collect();
    life.write("ticks.ics", &format!("BEGIN:VCALENDAR\nVERSION:2.0\n{events}END:VCALENDAR\n"));
    bomb(&life.files().join("bomb.docx"));
    life.write(
        "fake.pdf",
        &format!("%PDF-1.7\n{}", "1 0 obj << /Kids [1 0 R] >>\n".repeat(200_000)),
    );
    life.write("cards.vcf", &"BEGIN:VCARD\nFN:x\n".repeat(500_000));
}

/// A document whose body inflates to half a gigabyte from half a megabyte.
fn bomb(path: &Path) {
    let mut zip = zip::ZipWriter::new(File::create(path).unwrap());
    let deflated = zip::write::SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Deflated)
        .large_file(true);
    zip.start_file("word/document.xml", deflated).unwrap();
    let zeros = vec![b' '; 1 << 20];
    for _ in 0..512 {
        zip.write_all(&zeros).unwrap();
    }
    zip.finish().unwrap();
}
