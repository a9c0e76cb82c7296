//! The truth table, with one seed. `coalmine bench --seeds 10` is the whole of it.

mod support;

use support::Coalmine;

#[test]
fn every_flaw_is_found_for_what_it_is_and_its_twin_passes() {
    let run = Coalmine::new().run(&["bench", "--seeds", "1", "--format", "json"]);
    let rows = run.json();
    assert!(rows.as_array().unwrap().len() > 8, "{run}");
    assert_eq!(run.code, 0, "{run}");
}
