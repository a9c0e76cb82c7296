//! `coalmine demo`: the built-in service, first with its flaws, then repaired.

use coalmine_target::{Flaw, Names};

use super::side_by_side::side_by_side;
use super::trial::{Bench, Score, Trial, kinds, passed, trials_at_a_time};
use super::{print, say, seed_or_chance, stop_on_ctrl_c};
use crate::args::{DemoArgs, Format};
use crate::exit::{Exit, Failed};
use crate::services::Services;

/// Passes when each flaw was found for what it is and the repaired service passed.
pub(crate) async fn run(args: &DemoArgs) -> Result<Exit, Failed> {
    let bench = Bench::new(&args.out, Names::default(), Services::embedded(), stop_on_ctrl_c()?)?;
    let seed = seed_or_chance(args.seed);
    let count = Flaw::ALL.len();

    say("Act 1", format_args!("a multi-tenant service on loopback with {count} flaws at once, seed {seed}"));
    let flaws = Flaw::ALL.into_iter().collect();
    let flawed = bench.run(Trial { name: "flawed".to_owned(), flaws, ..Trial::repaired(seed) }).await?.judged;
    print(&flawed.report, Format::Text);

    say("Act 2", "one flaw at a time: what each is found by");
    let mut found = 0;
    let trial = async |flaw: &Flaw| Ok((*flaw, bench.run(Trial::alone(*flaw, seed)).await?.judged));
    side_by_side(&Flaw::ALL, (trials_at_a_time(), &bench.stop()), trial, |(flaw, judged)| {
        let score = Score::of(flaw, &judged);
        found += usize::from(score == Score::Found);
        let verb = if score == Score::Found { "found" } else { "NOT FOUND" };
        let by: Vec<_> = kinds(&judged).iter().map(ToString::to_string).collect();
        let place = judged.report.verdict.findings.first().map_or("", |finding| &finding.route);
        say(verb, format_args!("{:<25} {} at {place}", flaw.id(), by.join(", ")));
    })?;

    say("Act 3", "the same service, repaired");
    let repaired = bench.run(Trial::repaired(seed)).await?.judged;
    print(&repaired.report, Format::Text);
    say("Demo", format_args!("{found} of {count} flaws found, repaired service: {}", repaired.report.verdict.outcome));
    say("Reports", format_args!("{}/", args.out.display()));
    let as_it_should = found == count && flawed.exit == Exit::Violation && passed(&repaired);
    Ok(match (bench.is_stopped(), as_it_should) {
        (true, _) => Exit::Interrupted,
        (false, true) => Exit::Pass,
        (false, false) => Exit::Violation,
    })
}
