//! What a scenario states of the service, and what it demands of those who are worth something.
#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

#[macro_use]
mod facts;

use coalmine_core::plan::Plan;
use coalmine_core::property::Property;
use coalmine_core::verdict::OracleId;
use coalmine_core::worth::WorthRule;
use coalmine_core::{Script, Seed};
use coalmine_plan::{Overrides, Scenario, plan, without_idle_flows};

const GOOD: &str = include_str!("scenarios/notes.yaml");
const VALUED: &str = "tenants: {count: 4, attributes: {tier: [free, pro], arr: [0, 240000]}}";

fn with(this: &str, that: &str) -> String {
    assert_eq!(GOOD.matches(this).count(), 1, "`{this}` stands once in the good scenario");
    GOOD.replace(this, that)
}

fn stating(property: &str) -> String {
    with("identity:", &format!("properties:\n  {property}\nidentity:"))
}

fn protecting(rule: &str) -> String {
    with("policy: {", &format!("policy: {{protected: {rule}, ")).replace("tenants: 8", VALUED)
}

fn planned(text: &str) -> Plan {
    let scenario = Scenario::parse(text, "notes.yaml").unwrap_or_else(|errors| panic!("{errors}"));
    plan(&scenario, Seed(1), 0, &Overrides::default()).unwrap()
}

fn refused(text: &str) -> String {
    match Scenario::parse(text, "notes.yaml") {
        Ok(scenario) => panic!("{} has no problem", scenario.name()),
        Err(errors) => errors.render(false),
    }
}

facts! {
    by |text: String| refused(&text);
    a_property_of_nothing: stating("isolation: {}");
    a_property_with_a_name_of_two_words: stating("\"data isolation\": {steps: read-note}");
    a_property_of_a_flow_that_is_not_there: stating("isolation: {flows: writes}");
    a_property_of_a_step_that_is_not_there: stating("isolation: {steps: [read-note, raed-note]}");
    a_property_of_an_oracle_that_is_not_there: stating("isolation: {oracles: foreign-canaries}");
    a_property_of_an_oracle_that_is_off: stating("delivery: {oracles: caching}").replace("missing-event", "caching");
    a_property_of_an_oracle_of_which_all_are_notes: stating("tables: {oracles: existence-by-time}").replace("missing-event: off", "existence-by-time: warn");
    a_property_of_oracles_with_nothing_to_ask: stating(
        "isolation: {oracles: [access, identity-echo, existence, misrouted-event, wrong-credential, role, wrong-list, not-fresh]}",
    );
    a_property_of_figures_that_nothing_shows: stating("figures: {oracles: [wrong-aggregate, session-after-logout]}");
    a_worth_that_tenants_do_not_have: protecting("{value: ar, minimum: 100}");
    a_worth_of_tenants_without_attributes: with("policy: {", "policy: {protected: {value: arr, minimum: 100}, ");
    a_worth_that_is_no_number: protecting("{value: tier, minimum: 100}");
    a_worth_without_a_minimum: protecting("{value: arr}");
}

#[test]
fn properties_come_with_the_steps_of_their_flows_but_for_those_that_clean_up() {
    let text = stating("isolation: {flows: write, oracles: access}\n  access: {oracles: [access, identity-echo]}");
    let steps = ["add-note", "read-note"].map(str::to_owned).to_vec();
    let isolation = Property { name: "isolation".to_owned(), steps, oracles: vec![OracleId::Access] };
    let oracles = vec![OracleId::Access, OracleId::IdentityEcho];
    let access = Property { name: "access".to_owned(), steps: vec![], oracles };
    assert_eq!(planned(&text).properties, [isolation, access]);
    assert_eq!(planned(GOOD).properties, []);
}

#[test]
fn what_is_demanded_of_passes_and_of_those_who_are_worth_something_is_in_the_plan() {
    let text =
        protecting("{value: arr, minimum: 500000}").replace("policy: {", "policy: {passes_percent: 95, unsent: 0, ");
    let policy = planned(&text).policy;
    assert_eq!(policy.protected, Some(WorthRule { attribute: "tenant.arr".to_owned(), min: 500_000 }));
    assert_eq!((policy.passes_min_percent, policy.unsent_max), (95, Some(0)));
    let silent = planned(GOOD).policy;
    assert_eq!((silent.protected, silent.passes_min_percent, silent.unsent_max), (None, 0, None));
}

#[test]
fn a_case_states_nothing_of_the_whole_service() {
    let text = stating("isolation: {flows: write}");
    let script = Script::of(&planned(&text));
    let none = &mut |_: &str| Err(String::new());
    let smaller = without_idle_flows(&text, &script, "notes.yaml", none);
    assert!(!smaller.contains("properties"), "{smaller}");
    assert_eq!(planned(&smaller).properties, []);
}
