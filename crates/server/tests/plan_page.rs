//! Planning on the page: what the server answers, and what moving a slider does in a real browser.

mod common;

use common::browser::Browser;
use common::{Running, accessibility_rules, requests_elsewhere};
use serde_json::{Value, json};

const ARROW_LEFT: &str = "\u{e012}";
const ARROW_RIGHT: &str = "\u{e014}";

fn plan() -> Value {
    json!({
        "model": { "parameters": 8e9 },
        "training": { "tokens": 1e12, "sequence": 4096, "global_batch": 512 },
        "cluster": { "chip": "H100", "chips": 256 },
        "timeline": { "start": "2024-01", "until": "2024-06" },
    })
}

#[test]
fn a_plan_is_answered_with_layouts_money_energy_and_months() {
    let running = Running::start();
    let visitor = running.sign_in();
    assert_eq!(running.send("POST", "/api/plan", &[], &plan().to_string()).status, 401);
    let told = visitor.post("/api/plan", &plan().to_string()).json();
    let best = &told["best"][0];
    for field in ["step_s", "memory_gb", "mfu_pct", "days", "dollars", "kwh", "kgco2e", "failures"]
    {
        assert!(best[field].as_f64().unwrap() > 0.0, "{field}");
    }
    assert_eq!(told["timeline"]["months"].as_array().unwrap().len(), 6);
    assert_eq!(told["reasons"].as_array().unwrap().len(), told["best"].as_array().unwrap().len());
    // 6 N D and some attention.
    let flop = told["model_flop"].as_f64().unwrap();
    assert!((1.0..1.25).contains(&(flop / (6.0 * 8e9 * 1e12))), "{flop:e}");

    let choices = visitor.post("/api/plan/choices", &plan().to_string()).json();
    let days: Vec<f64> = choices
        .as_array()
        .unwrap()
        .iter()
        .map(|choice| choice["best"]["days"].as_f64().unwrap())
        .collect();
    assert_eq!(days.len(), 5);
    assert!(days.windows(2).all(|pair| pair[0] > pair[1]), "{days:?}");
}

#[test]
fn chips_examples_and_every_published_run_are_told_once_signed_in() {
    let running = Running::start();
    assert_eq!(running.get("/api/plan", &[]).status, 401);
    let known = running.sign_in().get("/api/plan").json();
    let points = known["points"].as_array().unwrap();
    assert!(points.len() > 300);
    assert!(points.iter().all(|point| point["predicted_s"].as_f64().unwrap() > 0.0));
    assert!(points.iter().any(|point| point["held_out"] == true));
    assert!(known["chips"].as_array().unwrap().iter().any(|chip| chip["name"] == "H100"));
    for example in known["examples"].as_array().unwrap() {
        let reply = running.sign_in().post("/api/plan", &example.to_string());
        assert_eq!(reply.status, 200, "{}", reply.text());
    }
}

#[test]
fn a_wrong_plan_is_refused_by_field_and_names_no_file() {
    let running = Running::start();
    let visitor = running.sign_in();
    for (place, value, word) in [
        ("/cluster/chips", json!(1e9), "cluster.chips"),
        ("/cluster/chip", json!("H900"), "A100-80GB"),
        ("/training/tokens", json!(-1), "training.tokens"),
        ("/cluster/chips", json!("many"), "cluster.chips: invalid type"),
        ("/model", json!({ "config": "/etc/hostname" }), "model.config"),
        ("/model", json!({ "parameters": 1e15 }), "no layout"),
    ] {
        let mut wrong = plan();
        *wrong.pointer_mut(place).unwrap() = value;
        let reply = visitor.post("/api/plan", &wrong.to_string());
        assert_eq!(reply.status, 400, "{place}");
        let error = reply.json()["error"].as_str().unwrap().to_string();
        assert!(error.contains(word), "{place}: {error}");
    }
    assert_eq!(visitor.post("/api/plan", "{").status, 400);
    assert_eq!(visitor.post("/api/plan", &plan().to_string()).status, 200);
}

/// The number in large print with this name below it.
fn headline(browser: &Browser, name: &str) -> f64 {
    let script = format!(
        "Number([...document.querySelectorAll('.headline div')].find(d => d.querySelector('dt').firstChild.data === '{name}')\
         ?.querySelector('b').textContent.replace(/[^0-9.]/g, ''))"
    );
    browser.evaluate(&script).as_f64().unwrap()
}

#[test]
fn moving_a_slider_changes_the_plan() {
    let Some(browser) = Browser::start(1400, 900) else { return };
    let running = Running::start();
    browser.open(running.server.address());
    browser.click(".ways a[href='#/plan']");
    browser.wait_for("document.querySelector('.headline')");
    let (before, chips) = (headline(&browser, "days"), "document.getElementById('chips')");
    assert!(before > 1.0);

    let (busy, days) = ("document.querySelector('.results.busy')", ".headline b");
    // Read before a key is pressed: a quick answer would be taken for the old one.
    let first = browser.text(days);
    let shown = format!("document.querySelector('{days}').textContent");
    let dollars = headline(&browser, "for the chips");
    browser.evaluate(&format!("{chips}.focus()"));
    // More chips never take longer. These find no work, because the batch has no more parts: they are paid all the same.
    browser.press(ARROW_RIGHT);
    browser.wait_for("document.getElementById('idle')");
    let (faster, dearer) = (headline(&browser, "days"), headline(&browser, "for the chips"));
    assert!(
        faster <= before && dearer > dollars,
        "{before} days, then {faster}; {dollars}, {dearer}"
    );
    browser.press(ARROW_LEFT);
    browser.wait_for("!document.getElementById('idle')");
    browser.press(ARROW_LEFT);
    browser.wait_for(&format!("{shown} !== '{first}' && {chips}.ariaValueText !== '16,384'"));
    let slower = headline(&browser, "days");
    assert!(slower > before, "{before} days, then {slower}");

    // Any number can be typed; a wrong one says which field and how to say it.
    let type_at = |slider: &str, text: &str| {
        let exact = format!(".slider:has(#{slider}) .exact");
        let field = format!("document.querySelector('{exact}')");
        browser.run(&format!("{field}.focus(); {field}.select()"));
        browser.type_into(&exact, &format!("{text}\n"));
    };
    let retype = |text: &str| type_at("chips", text);
    retype("16384");
    browser.wait_for(&format!("{shown} === '{first}' && {chips}.ariaValueText === '16,384'"));
    assert_eq!(headline(&browser, "days"), before);
    retype("1000M");
    browser.wait_for("document.querySelector('.results .note.bad')");
    assert!(browser.text(".results .note.bad").contains("cluster.chips"));
    retype("16384");
    browser.wait_for(&format!("!{busy} && !document.querySelector('.results .note.bad')"));

    browser.click(".layouts li:nth-child(2) button");
    assert!(browser.text(".results .note").contains("Why not this one"));
    browser.wait_for("document.querySelectorAll('.haste li').length === 5");

    browser.click(".planner > header .kinds button:nth-child(3)");
    browser.wait_for("document.querySelectorAll('.claims li').length === 4");
    assert!(browser.text(".claims li:first-child .state").contains("holds"));
    browser.evaluate("document.getElementById('month').focus()");
    browser.press("\u{e011}");
    assert!(browser.text("#month-says").starts_with("December 2023: 22,000 chips"));

    // K is a thousand, except of contexts, which are powers of two.
    for (slider, text, value) in [("sequence", "8K", "8,192"), ("batch", "4K", "4,000")] {
        type_at(slider, text);
        browser
            .wait_for(&format!("document.getElementById('{slider}').ariaValueText === '{value}'"));
    }

    browser.click("#accuracy ~ .kinds button:nth-child(3)");
    browser.wait_for("document.querySelectorAll('.run.dim').length > 100");
    assert_eq!(browser.complaints_but_refusals(), Vec::<String>::new());
    assert_eq!(requests_elsewhere(&browser, &running), Vec::<String>::new());
}

#[test]
fn the_plan_breaks_no_rule_of_accessibility_and_fits_a_narrow_screen() {
    let Some(rules) = accessibility_rules() else { return };
    for width in [1400, 500] {
        let Some(browser) = Browser::start(width, 900) else { return };
        let running = Running::start();
        browser.open(running.server.address());
        for colours in ["light", "dark"] {
            browser.evaluate(&format!("document.documentElement.dataset.theme = '{colours}'"));
            browser.evaluate("location.hash = '#/plan'");
            browser.wait_for("document.querySelectorAll('.haste li').length === 5");
            browser.run("document.querySelectorAll('details').forEach(one => { one.open = true })");
            browser.run(&rules);
            let broken = browser.wait_value(
                "axe.run().then(found => found.violations.map(rule => `${rule.id}: ${rule.nodes[0].html}`))",
            );
            assert_eq!(broken, json!([]), "{colours}, {width} wide");
            let too_wide = "document.documentElement.scrollWidth <= innerWidth && \
                            document.querySelector('.middle').scrollWidth <= document.querySelector('.middle').clientWidth";
            assert_eq!(browser.evaluate(too_wide), true, "{width}");
        }
    }
}
