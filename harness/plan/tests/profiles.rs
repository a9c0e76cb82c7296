//! Scenarios of several files, and profiles laid over them.
#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

#[macro_use]
mod facts;

use std::collections::BTreeMap;

use coalmine_core::{Plan, Seed};
use coalmine_plan::{Overrides, Scenario, ScenarioErrors, plan};

const GOOD: &str = include_str!("scenarios/notes.yaml");

/// Reads `main.yaml` of these files.
fn read(files: &[(&str, &str)], profile: Option<&str>) -> Result<Scenario, ScenarioErrors> {
    let files: BTreeMap<_, _> = files.iter().copied().collect();
    let mut hand_out =
        |path: &str| files.get(path).map(ToString::to_string).ok_or_else(|| "there is no such file".into());
    Scenario::parse_with(files["main.yaml"], "main.yaml", profile, &mut hand_out)
}

/// The plan without the lines of its steps, which depend on the files.
fn planned(scenario: &Scenario) -> Plan {
    let mut plan = plan(scenario, Seed(1), 0, &Overrides::default()).unwrap();
    plan.steps.iter_mut().for_each(|step| step.line = 0);
    plan
}

fn errors(files: &[(&str, &str)], profile: Option<&str>) -> String {
    match read(files, profile) {
        Ok(scenario) => panic!("{} has no problem", scenario.name()),
        Err(errors) => errors.render(false),
    }
}

/// The good scenario, cut in two before `objects:`.
fn halves() -> (String, &'static str) {
    let at = GOOD.find("objects:").expect("the good scenario has objects");
    (GOOD[..at].replace("name: notes", "name: notes\ninclude: [shared/objects.yaml]"), &GOOD[at..])
}

fn with_profiles(profiles: &str) -> String {
    GOOD.replace("name: notes", &["name: notes\nprofiles:\n", profiles].concat())
}

#[test]
fn a_scenario_of_two_files_is_the_same_as_one() {
    let (main, objects) = halves();
    let whole = Scenario::parse(GOOD, "main.yaml").unwrap();
    let two = read(&[("main.yaml", &main), ("shared/objects.yaml", objects)], None).unwrap();
    assert!(planned(&two) == planned(&whole), "the plans differ");
}

#[test]
fn maps_of_several_files_are_joined() {
    let main = GOOD.replace("name: notes", "name: notes\ninclude: more.yaml");
    let more = "coalmine: 1\nflows:\n  more:\n    steps:\n      - {id: more, get: /more}\n";
    let names: Vec<String> = planned(&read(&[("main.yaml", &main), ("more.yaml", more)], None).unwrap())
        .flows
        .into_iter()
        .map(|it| it.name)
        .collect();
    assert!(names.contains(&"more".to_owned()) && names.len() > 2, "{names:?}");
}

/// Principals that have credentials: one for each tenant here.
fn tenants(plan: &Plan) -> usize {
    plan.principals.iter().filter(|principal| !principal.is_anonymous()).count()
}

#[test]
fn a_profile_is_laid_over_the_scenario_entry_by_entry() {
    let text =
        with_profiles("  staging: {target: {url: \"http://127.0.0.1:9\"}, tenants: 2, policy: {ok_percent: 50}}");
    let files = [("main.yaml", text.as_str())];
    let base = planned(&read(&files, None).unwrap());
    let staging = planned(&read(&files, Some("staging")).unwrap());
    assert!(
        base == planned(&Scenario::parse(GOOD, "main.yaml").unwrap()),
        "a profile that is not chosen changes nothing"
    );
    assert_eq!(staging.target.base_url, "http://127.0.0.1:9");
    assert_eq!(staging.target.ready_path, base.target.ready_path, "what the profile does not say stays");
    assert_eq!((tenants(&staging), staging.policy.ok_min_percent), (2, 50));
}

#[test]
fn a_profile_may_stand_in_a_file_of_its_own() {
    let text = with_profiles("  staging: staging.yaml");
    let staging = read(&[("main.yaml", &text), ("staging.yaml", "tenants: 3\n")], Some("staging")).unwrap();
    assert_eq!(tenants(&planned(&staging)), 3);
    assert_eq!(staging.profiles().collect::<Vec<_>>(), ["staging"]);
}

fn including(include: &str, files: &[(&str, &str)]) -> String {
    let main = GOOD.replace("name: notes", &["name: notes\ninclude: ", include].concat());
    let mut all = vec![("main.yaml", main.as_str())];
    all.extend_from_slice(files);
    errors(&all, None)
}

facts! {
    a_file_that_is_missing: including("[login.yaml]", &[]);
    a_path_that_is_absolute: including("/etc/passwd", &[]);
    files_that_include_each_other: including("a.yaml", &[("a.yaml", "include: [b.yaml]\n"), ("b.yaml", "# round\ninclude: [main.yaml]\n")]);
    a_file_included_twice: including("[a.yaml, b.yaml]", &[("a.yaml", "include: b.yaml\n"), ("b.yaml", "values: {}\n")]);
    files_that_include_each_other_too_deep: including("f0.yaml", &deep().iter().map(|(name, text)| (name.as_str(), text.as_str())).collect::<Vec<_>>());
    a_name_in_two_files: including("a.yaml", &[("a.yaml", "coalmine: 1\nname: again\ncanaries: {email: email}\n")]);
    an_included_file_that_is_a_list: including("a.yaml", &[("a.yaml", "- a\n")]);
    an_included_file_of_another_version: including("a.yaml", &[("a.yaml", "coalmine: 2\n")]);
    a_misspelt_key_in_an_included_file: including("a.yaml", &[("a.yaml", "# one\n# two\nflow: {}\n")]);
    an_included_file_that_is_not_yaml: including("a.yaml", &[("a.yaml", "# one\nvalues: {a\n")]);
    an_included_file_that_is_too_long: including("a.yaml", &[("a.yaml", &["# ", &"long".repeat(1 << 18)].concat())]);
    a_profile_that_is_not_there: errors(&[("main.yaml", &with_profiles("  staging: {tenants: 2}"))], Some("stagging"));
    a_profile_where_there_is_none: errors(&[("main.yaml", GOOD)], Some("staging"));
    a_misspelt_key_in_a_profile_that_is_not_chosen: errors(&[("main.yaml", &with_profiles("  staging: {tenant: 2}"))], None);
    a_misspelt_key_in_the_file_of_a_profile: errors(&[("main.yaml", &with_profiles("  staging: s.yaml")), ("s.yaml", "\ntenant: 2\n")], None);
    a_profile_with_flows: errors(&[("main.yaml", &with_profiles("  staging: {flows: {}}"))], Some("staging"));
    a_host_of_a_profile_that_is_not_listed: errors(&[("main.yaml", &with_profiles("  staging: {target: {url: \"http://staging.example.com\"}}"))], Some("staging"));
}

fn deep() -> Vec<(String, String)> {
    let file = |n: usize| (format!("f{n}.yaml"), format!("include: f{}.yaml\n", n + 1));
    (0..12).map(file).collect()
}
