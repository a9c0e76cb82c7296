//! No text makes the reader of scenarios panic or hang, and what it accepts can be planned or is refused with a reason.

#![no_main]

use coalmine_core::Seed;
use coalmine_plan::{Overrides, Scenario, plan};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match Scenario::parse(text, "fuzz.yaml") {
        Ok(scenario) => {
            let target_url = Some("http://127.0.0.1:1".to_owned());
            let overrides = Overrides { target_url, tenants: Some(2), repeat: Some(1), ..Overrides::default() };
            let seed: Seed = "1".parse().expect("a number is a seed");
            if let Ok(first) = plan(&scenario, seed, 0, &overrides) {
                let again = plan(&scenario, seed, 0, &overrides).expect("what was planned once can be again");
                assert_eq!(first, again);
            }
        }
        Err(errors) => assert!(!errors.to_string().is_empty()),
    }
});
