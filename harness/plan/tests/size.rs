//! A large scenario is no hardship.

use std::fmt::Write;
use std::time::Instant;

use coalmine_plan::Scenario;

#[test]
fn five_hundred_steps_in_five_thousand_lines_are_read_at_once() {
    let mut text = "coalmine: 1\nname: large\ncanaries: {secret: token}\nflows:\n".to_owned();
    for flow in 0..50 {
        write!(text, "  flow-{flow}:\n    steps:\n").expect("a string takes it");
        for step in 0..10 {
            write!(
                text,
                "      - id: step-{flow}-{step}\n        post: /things/{step}\n        headers:\n          x-one: a\n          \
                 x-two: b\n        json:\n          secret: \"{{{{canary.secret}}}}\"\n          other: 1\n        capture:\n\
                 \x20         v{step}: $.items[0].id\n"
            )
            .expect("a string takes it");
        }
    }
    assert!(text.lines().count() > 5000);
    let start = Instant::now();
    Scenario::parse(&text, "large.yaml").unwrap_or_else(|errors| panic!("{errors}"));
    assert!(start.elapsed().as_millis() < 2000, "{:?}", start.elapsed());
}
