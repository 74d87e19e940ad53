//! The page in a real browser: from the printed address to a quoted sentence, and back with Esc.

mod common;

use common::browser::Browser;
use common::{Running, accessibility_rules, requests_elsewhere};

const ESCAPE: &str = "\u{e00c}";

#[test]
fn a_first_visitor_gets_a_cited_answer_and_sees_the_quoted_words() {
    let Some(browser) = Browser::start(1280, 800) else { return };
    let running = Running::start();
    let origin = format!("http://{}/", running.host());

    browser.open(running.server.address());
    browser.wait_for("document.querySelector('.questions button')");
    assert!(
        browser.address().starts_with(&origin) && !browser.address().contains("token"),
        "{}",
        browser.address()
    );

    browser.click(".questions button");
    browser.wait_for("document.querySelector('.how .step')");
    assert!(browser.text(".turn .text").contains("between 8 and 10"));
    assert!(browser.text(".panel.sources").contains("Boiler appointment"));
    assert_eq!(browser.text(".how .step"), "Quoted in a sentence");

    browser.hover(".text .cite");
    browser
        .wait_for("document.querySelector('.tip')?.textContent.includes('I can come on Thursday')");

    browser.click(".text .cite");
    assert_eq!(browser.text(".item mark"), "I can come on Thursday 26 November between 8 and 10");
    let in_view = "(() => { const box = document.querySelector('.item mark').getBoundingClientRect(); \
                   return box.top >= 0 && box.bottom <= innerHeight })()";
    assert_eq!(browser.evaluate(in_view), true);

    browser.press(ESCAPE);
    browser
        .wait_for("!document.querySelector('.item') && document.querySelector('.panel.sources')");
    // The focus comes back to where the item was opened from.
    browser.wait_for("document.activeElement.className.includes('cite')");

    assert_eq!(browser.complaints(), Vec::<String>::new());
    assert_eq!(requests_elsewhere(&browser, &running), Vec::<String>::new());
}

#[test]
fn search_finds_while_typing_and_the_mail_frame_runs_nothing() {
    let Some(browser) = Browser::start(1280, 800) else { return };
    let running = Running::start();
    browser.open(running.server.address());
    browser.click(".ways a[href='#/search']");
    browser.type_into("input[type=search]", "valve");
    browser.wait_for("document.querySelectorAll('.hit').length === 1");
    assert!(browser.text(".hit").contains("Boiler appointment"));
    assert_eq!(browser.text(".hit mark"), "valve");

    browser.click(".hit a");
    browser.click("[role=tab]:nth-child(2)");
    browser.wait_for("document.querySelector('iframe')");
    // A script in the mail would have changed the title, a remote picture would be in the list of requests.
    browser
        .wait_for("performance.getEntriesByType('resource').some(e => e.name.includes('/html'))");
    assert!(!browser.evaluate("document.title").as_str().unwrap().contains("bad"));
    assert_eq!(requests_elsewhere(&browser, &running), Vec::<String>::new());
}

#[test]
fn colours_change_and_stay_and_a_narrow_screen_scrolls_only_down() {
    let Some(browser) = Browser::start(500, 844) else { return };
    let running = Running::start();
    browser.open(running.server.address());
    browser.click("a[href='#/settings']");
    browser.click("[aria-label=Colours] button:nth-child(3)");
    browser.wait_for("document.documentElement.dataset.theme === 'dark'");
    browser.wait_for("getComputedStyle(document.body).backgroundColor === 'rgb(22, 21, 19)'");
    browser.open(&format!("http://{}/", running.host()));
    browser.wait_for("document.documentElement.dataset.theme === 'dark'");
    for way in ["ask", "search", "found", "vault", "models", "plan", "settings"] {
        browser.evaluate(&format!("location.hash = '#/{way}'"));
        browser.wait_for("document.querySelector('h1')");
        assert_eq!(
            browser.evaluate("document.documentElement.scrollWidth <= innerWidth"),
            true,
            "{way} is too wide"
        );
    }
}

#[test]
fn an_abstention_says_what_was_searched_and_the_keys_work() {
    let Some(browser) = Browser::start(1280, 800) else { return };
    let running = Running::start();
    browser.open(running.server.address());
    browser.type_into("#question", "Who won the race in Oslo?\n");
    browser.wait_for("document.querySelector('.abstain')");
    assert!(browser.text(".abstain").contains("842 mails"));
    assert!(browser.text(".abstain").contains("Sintra on the second day?"));
    browser.press(ESCAPE);
    browser.press("?");
    assert!(browser.text("dialog").contains("Keys"));
    browser.press(ESCAPE);
    browser.wait_for("!document.querySelector('dialog')");
    browser.press("/");
    browser.wait_for("document.activeElement.id === 'question'");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn no_place_of_the_page_breaks_a_rule_of_accessibility_in_either_colours() {
    let Some(rules) = accessibility_rules() else { return };
    let Some(browser) = Browser::start(1280, 800) else { return };
    let running = Running::start();
    browser.open(running.server.address());
    let check = |place: &str| {
        browser.run(&rules);
        let broken = browser.wait_value(
            "axe.run().then(found => found.violations.map(rule => `${rule.id}: ${rule.nodes[0].html}`))",
        );
        assert_eq!(broken, serde_json::json!([]), "{place}");
    };
    for colours in ["light", "dark"] {
        browser.evaluate(&format!("document.documentElement.dataset.theme = '{colours}'"));
        for way in ["search", "found", "vault", "models", "settings", "ask"] {
            browser.evaluate(&format!("location.hash = '#/{way}'"));
            browser.wait_for("document.querySelector('h1')");
            check(way);
        }
    }
    browser.click(".questions button");
    browser.wait_for("document.querySelector('.how .step')");
    check("answer");
    browser.click(".text .cite");
    browser.wait_for("document.querySelector('.item mark')");
    check("item");
    browser.wait_for("document.scrollingElement.scrollHeight <= innerHeight");
}

#[test]
fn without_the_token_the_door_is_shut() {
    let Some(browser) = Browser::start(1280, 800) else { return };
    let running = Running::start();
    browser.open(&format!("http://{}/", running.host()));
    assert!(browser.text("h1").contains("locked"));
}
