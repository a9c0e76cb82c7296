//! The truth table, with one seed, by the demonstration. `coalmine bench --seeds 10` is the whole of it.

mod support;

use coalmine_target::Flaw;

use support::Coalmine;

/// The first command that anybody tries. `coalmine bench` asks of every race besides whether it is silent without concurrency.
#[test]
fn the_demonstration_finds_every_flaw_for_what_it_is_and_the_twin_passes() {
    let coalmine = Coalmine::new();
    let run = coalmine.run(&["demo", "--seed", "1"]);
    let count = Flaw::ALL.len();
    assert!(run.stdout.contains(&format!("{count} of {count} flaws found, repaired service: PASS")), "{run}");
    assert_eq!(run.code, 0, "{run}");
}

#[test]
fn races_are_found_and_silent_where_tenants_never_meet() {
    let races = [
        Flaw::AgentsSharedState,
        Flaw::AgentsMerge,
        Flaw::AgentsApprovalMix,
        Flaw::LeadsSessionSetting,
        Flaw::FinanceIngestOwner,
        Flaw::FinanceSingleFlight,
    ];
    assert!(races.iter().all(|flaw| flaw.is_race()));
    let flaws = races.iter().flat_map(|flaw| ["--flaw", flaw.id()]);
    let all = ["bench", "--seeds", "1", "--at-a-time", "6", "--format", "json"].into_iter().chain(flaws);
    let run = Coalmine::new().run(&all.collect::<Vec<_>>());
    let rows = run.json();
    let rows = rows.as_array().unwrap();
    assert_eq!(rows.iter().filter(|row| row["silent_alone"] == 1).count(), races.len(), "{run}");
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
