//! tmp
#![allow(clippy::print_stdout)]
use assetsync_bench::*;
struct M;
impl Monitor for M { fn event(&self, e: Event<'_>) { if std::env::var_os("V").is_some() { println!("{e:?}"); } } }
fn main() {
    let a: Vec<String> = std::env::args().collect();
    if a[1] == "bench-far-side" { std::process::exit(far_side(std::path::Path::new(&a[2])).unwrap()); }
    let mut field = Competitor::default_field();
    if let Ok(x) = std::env::var("AGAINST") { Competitor::join(&mut field, &x); }
    let plan = Plan { old: a[1].clone().into(), new: a[2].clone().into(), to: None, ssh: Default::default(),
        links: a[4..].iter().map(|l| l.parse().unwrap()).collect(), runs: a[3].parse().unwrap(), competitors: field,
        scenarios: Scenario::ALL.into(), assetsync: "/tmp/bdev/as".into() };
    match race(&plan, &M) { Ok(r) => { println!("{}", table(&r)); std::fs::write("/tmp/bdev/r.json", r.to_json()).unwrap();
        std::fs::write("/tmp/bdev/r.svg", chart(std::slice::from_ref(&r), "assetsync")).unwrap();
        std::fs::write("/tmp/bdev/r.md", markdown(&[r], Some("r.svg"))).unwrap(); } Err(e) => println!("ERR {e}") }
}
