//! The truth table, with one seed. `coalmine bench --seeds 10` is the whole of it.

mod support;

use coalmine_target::Flaw;

use support::Coalmine;

#[test]
fn every_flaw_is_found_for_what_it_is_and_its_twin_passes() {
    let run = Coalmine::new().run(&["bench", "--seeds", "1", "--at-a-time", "6", "--format", "json"]);
    let rows = run.json();
    assert!(rows.as_array().unwrap().len() > 8, "{run}");
    assert_eq!(run.code, 0, "{run}");
}

/// One or two of each wing, and of those that belong to none, under names that nobody has heard before. `coalmine bench --rename SEED` is
/// the whole of it.
#[test]
fn flaws_are_found_under_any_names_and_their_twin_passes() {
    let flaws = [
        Flaw::AgentsWsBroadcast,
        Flaw::AgentsContextSlot,
        Flaw::OpsGetById,
        Flaw::OpsAggregateUnfiltered,
        Flaw::OpsCursor,
        Flaw::LeadsApiKeyShared,
        Flaw::FinanceEtag,
        Flaw::FinanceIngestOwner,
        Flaw::HttpTokenPrefix,
    ];
    let flaws = flaws.iter().flat_map(|flaw| ["--flaw", flaw.id()]);
    let all =
        ["bench", "--rename", "1", "--seeds", "1", "--at-a-time", "6", "--format", "json"].into_iter().chain(flaws);
    let run = Coalmine::new().run(&all.collect::<Vec<_>>());
    assert_eq!(run.json().as_array().unwrap().len(), 10, "{run}");
    assert_eq!(run.code, 0, "{run}");
}

/// Those whose state is in PostgreSQL or Redis there. `coalmine bench --services` is the whole of it.
#[test]
fn flaws_of_storage_are_found_on_services_too_and_their_twin_passes() {
    let Some(servers) = coalmine_servers::shared() else { return };
    let on_services = ["--database", servers.database_url(), "--redis", servers.redis_url()];
    let flaws = [
        Flaw::LeadsSessionSetting,
        Flaw::LeadsRlsMissing,
        Flaw::LeadsQueueContext,
        Flaw::AgentsWsBroadcast,
        Flaw::AgentsInstanceByName,
        Flaw::FinanceCacheKey,
    ];
    let flaws = flaws.iter().flat_map(|flaw| ["--flaw", flaw.id()]);
    let all =
        ["bench", "--seeds", "1", "--at-a-time", "6", "--format", "json"].into_iter().chain(flaws).chain(on_services);
    let run = Coalmine::new().run(&all.collect::<Vec<_>>());
    assert_eq!(run.code, 0, "{run}");
}
