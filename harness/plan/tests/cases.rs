//! Scripts become plans, and cases are read as they were written.
#![expect(clippy::unwrap_used, reason = "what a test cannot do without fails the test")]

use std::collections::{BTreeMap, BTreeSet};

use coalmine_core::case::{CASE_FORMAT, Case, Origin, Sought, Stage};
use coalmine_core::earlier::EarlierRound;
use coalmine_core::perturb::{Letters, Manner, Odd, Poison, PoisonKind};
use coalmine_core::plan::{OpId, Schedule, ScopeId};
use coalmine_core::script::{Person, Script};
use coalmine_core::verdict::{Fingerprint, OracleId};
use coalmine_core::{Plan, Seed};
use coalmine_plan::{CaseFile, Numbering, Overrides, Scenario, perform, plan, resolve, without_idle_flows};

const DEMO: &str = include_str!("../../../scenarios/demo/scenario.yaml");

fn scenario(text: &str) -> Scenario {
    Scenario::parse(text, "scenario.yaml").unwrap()
}

fn drawn(scenario: &Scenario) -> Plan {
    plan(scenario, Seed(7), 0, &Overrides { tenants: Some(4), ..Overrides::default() }).unwrap()
}

fn case(script: Script) -> Case {
    Case {
        format: CASE_FORMAT,
        found: Sought {
            oracle: OracleId::ForeignCanary,
            fingerprint: Fingerprint("1234567890123456".into()),
            operation: "summary".into(),
            summary: "tenant 1 received: the \"secret\" # of tenant 2".into(),
        },
        target: Stage { url: None, flaws: vec!["finance.cache-key".into()] },
        from: Origin { seed: Seed(1), round: 0 },
        rate: None,
        diagnosis: None,
        script,
    }
}

fn nobody(_: &str) -> Result<String, String> {
    Err("there are no other files".to_owned())
}

#[test]
fn people_of_a_campaign_are_numbered_on_and_what_they_planted_is_remembered() {
    let scenario = scenario(DEMO);
    let numbering = Some(Numbering { round: 5, principal_first: 40, tenant_first: 9 });
    let overrides = Overrides { tenants: Some(4), numbering, ..Overrides::default() };
    let drawn = plan(&scenario, Seed(7), 5, &overrides).unwrap();
    let performed = perform(&scenario, &Script::of(&drawn), Seed(7), &overrides).unwrap();
    for plan in [&drawn, &performed] {
        assert_eq!((plan.round, plan.principals[0].id.0, plan.principals[0].tenant.0), (5, 40, 9));
        assert!(plan.principals.windows(2).all(|pair| pair[0].id.0 + 1 == pair[1].id.0));
        let earlier = EarlierRound::of(plan, &[]);
        let remembered: Vec<_> = earlier.canaries(&plan.flows).map(|(canary, scope, ..)| (scope, canary)).collect();
        let planted = (0..).map(ScopeId).zip(&plan.scopes);
        let planted: Vec<_> =
            planted.flat_map(|(scope, of)| of.canaries.iter().map(move |canary| (scope, *canary))).collect();
        assert!(!planted.is_empty() && remembered == planted);
        assert!(
            earlier.people().zip(&plan.principals).all(|(one, other)| (one.id, one.tenant) == (other.id, other.tenant))
        );
    }
    assert_eq!(
        performed.principals,
        drawn
            .principals
            .iter()
            .zip(&performed.principals)
            .map(|(drawn, made)| { coalmine_core::Principal { attributes: made.attributes.clone(), ..drawn.clone() } })
            .collect::<Vec<_>>()
    );
    assert_eq!(Script::of(&performed), Script::of(&drawn));
}

#[test]
fn the_script_of_a_plan_is_that_plan_for_other_people() {
    let scenario = scenario(DEMO);
    let before = drawn(&scenario);
    let script = Script::of(&before);
    let after = perform(&scenario, &script, Seed(99), &Overrides::default()).unwrap();
    assert_eq!(Script::of(&after), script);
    let ops =
        |plan: &Plan| -> Vec<_> { plan.ops().map(|(phase, principal, op)| (phase, principal, op.clone())).collect() };
    let differing = ops(&after).into_iter().zip(ops(&before)).find(|(one, other)| one != other);
    assert_eq!(differing, None);
    assert_eq!(
        (after.op_count, &after.gates, after.shared_connections),
        (before.op_count, &before.gates, before.shared_connections)
    );
    let shapes = |plan: &Plan| -> Vec<_> {
        plan.scopes.iter().flat_map(|scope| scope.canaries.iter().map(|id| (id.owner, id.shape))).collect()
    };
    assert_eq!(shapes(&after), shapes(&before));
    let timed = Script { usual_us: BTreeMap::from([("login".to_owned(), 1200)]), ..script.clone() };
    let known = perform(&scenario, &timed, Seed(99), &Overrides::default()).unwrap();
    assert_eq!(Script::of(&known), timed);
    let with_same_names =
        before.principals.iter().zip(&after.principals).filter(|(one, other)| one.attributes == other.attributes);
    assert_eq!(with_same_names.count(), 0, "a service that knows them must take them for others");
    assert_eq!(after, perform(&scenario, &script, Seed(99), &Overrides::default()).unwrap());
}

#[test]
fn a_case_is_read_as_it_was_written() {
    let scenario = scenario(DEMO);
    let kinds = [Odd::Null, Odd::Text { letters: Letters::Lone, count: 3 }].map(PoisonKind::Odd);
    let script = Script::of(&drawn(&scenario)).with_manners(|_, line| {
        let odd = Some(Poison { kind: kinds[line.op.0 as usize % 2], value: 1 });
        Manner { poison: odd.filter(|_| line.op.0 % 50 < 2), ..line.manner }
    });
    let resolved = resolve(DEMO, "scenario.yaml", None, &mut nobody).unwrap();
    let text = CaseFile::write(&case(script.clone()), &resolved, &["two\nlines".into()]);
    assert!(text.starts_with("# two\n# lines\ncoalmine-case: 1\n"), "{text}");
    let read = CaseFile::parse(&text, "case.yaml", &mut nobody).unwrap();
    assert_eq!(read.case, case(script.clone()));
    let overrides = Overrides::default();
    let plans = [&scenario, &read.scenario].map(|scenario| perform(scenario, &script, Seed(3), &overrides).unwrap());
    assert_eq!(plans[0].stages, plans[1].stages);
    assert_eq!(plans[0].principals, plans[1].principals);
    assert!(text.contains("odd"), "{text}");
    let again = CaseFile::write(&read.case, &read.text, &["two\nlines".into()]);
    assert_eq!(again, text);
}

#[test]
fn flows_that_a_script_does_not_go_through_are_left_out() {
    let scenario = scenario(DEMO);
    let script =
        Script::of(&drawn(&scenario)).with_only(|_, by, line| by == 0 && (line.step == "book" || line.step == "login"));
    let smaller = without_idle_flows(DEMO, &script, "scenario.yaml", &mut nobody);
    assert!(
        smaller.contains("  finance:") && !smaller.contains("  payment:") && smaller.len() < DEMO.len() / 3,
        "{smaller}"
    );
    let small = Scenario::parse(&smaller, "scenario.yaml").unwrap();
    let plan = perform(&small, &script, Seed(1), &Overrides::default()).unwrap();
    let mut steps: Vec<_> = plan.ops().map(|(.., op)| plan.step(op.step).name.clone()).collect();
    steps.dedup();
    assert_eq!(steps, ["login", "book"]);
    assert_eq!(plan.webhooks, None, "nobody waits for webhooks that are never told");
}

/// Spoils a script.
type Bend = fn(&mut Script);

#[test]
fn a_script_that_names_what_is_not_there_is_refused() {
    let scenario = scenario(DEMO);
    let whole = Script::of(&drawn(&scenario));
    let refused = |bend: Bend| {
        let mut script = whole.clone();
        bend(&mut script);
        perform(&scenario, &script, Seed(1), &Overrides::default()).unwrap_err().to_string()
    };
    let table: [(Bend, &str); 7] = [
        (|script| script.people.clear(), "nobody acts"),
        (|script| script.people.insert(0, Person::default()), "the session of each"),
        (|script| script.stages[0].lanes[0].ops[0].step = "pray".into(), "no step `pray`"),
        (|script| script.stages[0].lanes[0].ops[0].pass = ScopeId(u32::MAX), "a pass that is not there"),
        (|script| script.stages[0].lanes[1].ops[0].op = OpId(0), "the same number"),
        (|script| script.passes[20].flow = "nowhere".into(), "no flow `nowhere`"),
        (|script| script.stages[0].lanes[1].by = 0, "two lanes in one stage"),
    ];
    for (bend, says) in table {
        let message = refused(bend);
        assert!(message.contains(says), "{message}");
    }
    let mut turned = whole.clone();
    turned.schedule = Schedule::InTurn;
    turned.stages[0].lanes[0].ops.reverse();
    let message = perform(&scenario, &turned, Seed(1), &Overrides::default()).unwrap_err().to_string();
    assert!(message.contains("do not ascend"), "{message}");
}

#[test]
fn a_resolved_scenario_holds_what_it_includes_and_a_profile() {
    let main = "coalmine: 1\ninclude: [login.yaml]\nprofiles: {small: {tenants: 3}}\n";
    let login = DEMO.replace("coalmine: 1\n", "");
    let mut files = |path: &str| if path == "login.yaml" { Ok(login.clone()) } else { nobody(path) };
    let text = resolve(main, "scenario.yaml", Some("small"), &mut files).unwrap();
    assert!(!text.contains("include") && !text.contains("profiles"), "{text}");
    let plan = plan(&scenario(&text), Seed(1), 0, &Overrides::default()).unwrap();
    let named = plan.principals.iter().filter(|one| !one.is_anonymous());
    // Three, and one who makes nothing.
    assert_eq!(named.map(|one| one.tenant).collect::<BTreeSet<_>>().len(), 4);
}

#[test]
fn what_is_wrong_with_a_case_is_shown_where_it_stands() {
    let text = "coalmine-case: 1\nfound: {oracle: foreign-canary}\nscript: {people: [], passes: [], stages: [], colour: red}\nscenario:\n  coalmine: 1\n  name: notes\n  target: {url: http://127.0.0.1:1}\n  flowz: {}\n";
    insta::assert_snapshot!(CaseFile::parse(text, "case.yaml", &mut nobody).unwrap_err());
    let whole = CaseFile::write(&case(Script::default()), "coalmine: 1\nname: notes\n", &[]);
    let coloured = whole.replace("people: []", "people: [], colour: red");
    insta::assert_snapshot!(CaseFile::parse(&coloured, "case.yaml", &mut nobody).unwrap_err());
    let old = CaseFile::write(&Case { format: 9, ..case(Script::default()) }, "coalmine: 1\nname: notes\n", &[]);
    insta::assert_snapshot!(CaseFile::parse(&old, "case.yaml", &mut nobody).unwrap_err());
    insta::assert_snapshot!(CaseFile::parse("coalmine: 1\n", "case.yaml", &mut nobody).unwrap_err());
}
