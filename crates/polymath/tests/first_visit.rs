//! The program as a new owner meets it: started in an empty home without a network, opened in a real browser.

// The browser is driven as `server`'s own tests drive it.
#[allow(dead_code, unreachable_pub)]
#[path = "../../server/tests/common/browser.rs"]
mod browser;
#[allow(dead_code, unreachable_pub)]
#[path = "../../server/tests/common/reply.rs"]
mod reply;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use browser::Browser;

/// `polymath` on a free port, ended with the test.
struct Program {
    child: Child,
    address: String,
    home: tempfile::TempDir,
}

impl Program {
    fn start() -> Program {
        let home = tempfile::tempdir().expect("a temporary folder");
        let mut child = Command::new(env!("CARGO_BIN_EXE_polymath"))
            .args(["--addr", "127.0.0.1:0", "--no-browser"])
            .env("POLYMATH_HOME", home.path().join("home"))
            .env("POLYMATH_OFFLINE", "1")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("polymath starts");
        let said = BufReader::new(child.stdout.take().expect("piped"));
        let address = said
            .lines()
            .map_while(Result::ok)
            .find_map(|line| line.split_once("open at ").map(|(_, address)| address.to_owned()))
            .expect("it says where it is");
        Program { child, address, home }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_first_questions_are_answered_with_sources_that_open_at_the_quoted_words() {
    let Some(browser) = Browser::start(1280, 800) else { return };
    let program = Program::start();
    browser.open(&program.address);
    browser.wait_for("document.querySelectorAll('.questions button').length === 3");
    // What examples/life/questions.jsonl has as their answers.
    for (place, wanted) in [(1, "25 November 2026"), (2, "171"), (3, "42 minutes")] {
        browser.evaluate("location.hash = '#/ask'");
        browser.evaluate("location.reload()");
        browser.click(&format!(".questions button:nth-child({place})"));
        browser.wait_for("document.querySelector('.how .step')");
        let answer = browser.text(".turn .text");
        assert!(answer.contains(wanted), "question {place}: {answer}");
        assert!(!answer.starts_with("I am not sure"), "question {place}: {answer}");
        let quote = browser.text(".panel.sources .quote, .panel.sources blockquote");
        browser.click(".text .cite");
        browser.wait_for("document.querySelector('.item mark')");
        let marked = browser.text(".item mark");
        assert!(
            !marked.is_empty() && quote.contains(marked.lines().next().unwrap()),
            "{quote}: {marked}"
        );
    }
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn ones_own_folder_is_read_and_answers() {
    let Some(browser) = Browser::start(1280, 800) else { return };
    let program = Program::start();
    let folder = program.home.path().join("mine");
    std::fs::create_dir_all(&folder).expect("a folder");
    let mail = "From: Mara Lindqvist <mara@example.org>\r\nTo: Jonas <jonas@example.org>\r\n\
                Date: Mon, 4 May 2026 10:00:00 +0200\r\nSubject: Ferry\r\n\
                Message-ID: <ferry@example.org>\r\n\r\nThe ferry to Sandhamn leaves at noon from pier 4.\r\n";
    std::fs::write(folder.join("ferry.eml"), mail).expect("a file");
    std::fs::write(folder.join("broken.pdf"), "%PDF-1.7 and nothing that follows").expect("a file");

    browser.open(&program.address);
    browser.click(".side .lives button:nth-child(2)");
    browser.type_into("#folder", &folder.display().to_string());
    browser.click("form.drop button.main");
    browser.wait_for("document.body.textContent.includes('see what I found')");
    assert!(browser.text(".counters").contains("could not be read"));
    browser.evaluate("location.hash = '#/ask'");
    browser.type_into("#question", "Where does the ferry to Sandhamn leave?\n");
    browser.wait_for("document.querySelector('.how .step')");
    assert!(browser.text(".turn .text").contains("pier 4"));
    assert!(browser.text(".panel.sources").contains("Ferry"));
    browser.evaluate("location.hash = '#/found'");
    browser.wait_for("document.querySelector('.cards')?.textContent.includes('Mara Lindqvist')");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}
