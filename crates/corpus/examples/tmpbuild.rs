#![allow(clippy::print_stdout)]
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let mut c = corpus::config::Config::read(a[1].as_ref()).unwrap();
    if let Some(o) = a.get(3) { c.output.dir = o.into(); }
    match corpus::build::build(&c, a[2].parse().unwrap(), &mut |_| ()) {
        Ok(mut r) => { let s = std::mem::take(&mut r.samples); r.config = serde_json::Value::Null; println!("{}", serde_json::to_string_pretty(&r).unwrap()); for (k,v) in s { println!("{k}: {:?}", v.first().map(|s| (&s.place, s.text.chars().take(120).collect::<String>()))); } }
        Err(e) => { println!("{e}"); std::process::exit(1) }
    }
}
